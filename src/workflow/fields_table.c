/* Changing what weir does with a field? Change its state here, and write docs/compatibility.md anew: `pytest
 * tests/end_to_end/test_compatibility.py --update`. */
#include "workflow/fields.h"

#define FIELDS(name) static const weir__field_of name

FIELDS(object_meta);
FIELDS(short_meta);
FIELDS(text_key);
FIELDS(value_from);
FIELDS(parameter);
FIELDS(archive);
FIELDS(tar);
FIELDS(artifact_gc);
FIELDS(s3);
FIELDS(gcs);
FIELDS(oss);
FIELDS(azure);
FIELDS(hdfs);
FIELDS(artifactory);
FIELDS(http_artifact);
FIELDS(git);
FIELDS(raw);
FIELDS(plugin_artifact);
FIELDS(artifact);
FIELDS(location);
FIELDS(arguments);
FIELDS(inputs);
FIELDS(outputs);
FIELDS(template_ref);
FIELDS(hook);
FIELDS(continue_on);
FIELDS(sequence);
FIELDS(step);
FIELDS(task);
FIELDS(dag);
FIELDS(env);
FIELDS(env_from);
FIELDS(container);
FIELDS(script);
FIELDS(user_container);
FIELDS(set_container);
FIELDS(set_retry);
FIELDS(container_set);
FIELDS(suspend);
FIELDS(resource);
FIELDS(data);
FIELDS(data_source);
FIELDS(transformation);
FIELDS(http);
FIELDS(backoff);
FIELDS(retry);
FIELDS(mutex);
FIELDS(semaphore);
FIELDS(sync_database);
FIELDS(synchronization);
FIELDS(memo_cache);
FIELDS(memoize);
FIELDS(metric_label);
FIELDS(gauge);
FIELDS(counter);
FIELDS(histogram);
FIELDS(prometheus);
FIELDS(metrics);
FIELDS(executor);
FIELDS(template);
FIELDS(ttl);
FIELDS(repository_ref);
FIELDS(wf_artifact_gc);
FIELDS(volume_claim_gc);
FIELDS(pod_gc);
FIELDS(workflow_ref);
FIELDS(label_from);
FIELDS(workflow_metadata);
FIELDS(spec);
FIELDS(stop_strategy);
FIELDS(cron_spec);
FIELDS(workflow);
FIELDS(workflow_template);
FIELDS(cron);

#define FIELD(name, type, state, note)                                                             \
    { name, WEIR__FIELD_##type, WEIR__FIELD_##state, NULL, note, NULL }
#define OF(name, type, state, of, note)                                                            \
    { name, WEIR__FIELD_##type, WEIR__FIELD_##state, &of, note, NULL }
#define CHOICE(name, state, choices, note)                                                         \
    { name, WEIR__FIELD_TEXT, WEIR__FIELD_##state, NULL, note, choices }
#define END                                                                                        \
    { NULL, WEIR__FIELD_FREE, WEIR__FIELD_WORKS, NULL, NULL, NULL }

#define LOCATION_FIELDS                                                                            \
    OF("s3", OBJECT, DIFFERS, s3,                                                                  \
       "as all repositories a folder of this machine; nobody is asked"),                           \
        OF("gcs", OBJECT, DIFFERS, gcs, "the same"), OF("oss", OBJECT, DIFFERS, oss, "the same"),  \
        OF("azure", OBJECT, DIFFERS, azure, "the same"),                                           \
        OF("hdfs", OBJECT, DIFFERS, hdfs, "the same"),                                             \
        OF("artifactory", OBJECT, DIFFERS, artifactory, "the same"),                               \
        OF("http", OBJECT, WORKS, http_artifact, "of inputs"),                                     \
        OF("git", OBJECT, WORKS, git, "of inputs"), OF("raw", OBJECT, WORKS, raw, "of inputs"),    \
        OF("plugin", OBJECT, DIFFERS, plugin_artifact, "the same, under the plugin's name"),       \
        FIELD("archiveLogs", BOOL, WORKS,                                                          \
              "as `main-logs`; of a set as `NAME-logs` of each container"),

#define CALL_FIELDS                                                                                \
    FIELD("name", TEXT, WORKS, "of letters, digits and `-`"),                                      \
        FIELD("template", TEXT, WORKS, "recursion to a depth of 100"),                             \
        OF("inline", OBJECT, WORKS, template, "within inline templates too"),                      \
        OF("templateRef", OBJECT, WORKS, template_ref,                                             \
           "of the same file or a `--library`; the names may have no tags"),                       \
        OF("arguments", OBJECT, WORKS, arguments, ""), FIELD("withItems", FREE_LIST, WORKS, ""),   \
        FIELD("withParam", TEXT, WORKS, ""),                                                       \
        OF("withSequence", OBJECT, WORKS, sequence,                                                \
           "`count`, `start`, `end`, `format` (one of %d, %x, %X, %o with a width; %%)"),          \
        FIELD("when", TEXT, WORKS,                                                                 \
              "==, !=, <, <=, >, >=, &&, &#124;&#124;, !, parentheses; bare words are texts"),     \
        OF("continueOn", OBJECT, WORKS, continue_on, "`error`, `failed`; not beside `depends`"),   \
        FIELD("onExit", TEXT, WORKS, ""),                                                          \
        OF("hooks", MAP, WORKS, hook, "with an `expression`, but for `exit`"),

#define CONTAINER_FIELDS                                                                           \
    FIELD("name", TEXT, WORKS, ""),                                                                \
        FIELD("image", TEXT, WORKS,                                                                \
              "pulled and unpacked by weir; `--executor process` runs the command on this host "   \
              "(where it may be absent), `--executor container` by podman or docker"),             \
        FIELD("command", TEXTS, WORKS,                                                             \
              "run as a process of this machine; the path of a script's source stands between "    \
              "them, as in Argo 4, or behind `-m MODULE …`"),                                      \
        FIELD("args", TEXTS, WORKS,                                                                \
              "run as a process of this machine; the path of a script's source stands between "    \
              "them, as in Argo 4, or behind `-m MODULE …`"),                                      \
        FIELD("workingDir", TEXT, WORKS,                                                           \
              "else the image's; on this host it must exist, or is the folder where weir runs"),   \
        OF("env", LIST, WORKS, env,                                                                \
           "beside these the image's; on this host PATH, HOME, LANG; $(NAME) as in Kubernetes"),   \
        FIELD("envFrom", FREE_LIST, WORKS, "`configMapRef`, `secretRef`, `prefix`, `optional`"),   \
        FIELD("resources", FREE_OBJECT, DIFFERS,                                                   \
              "`limits`: cpu and memory as control groups allow, else memory of each process; "    \
              "ephemeral-storage is the size of each file; what is requested keeps a step "        \
              "waiting until there is room for it"),                                               \
        FIELD("volumeMounts", FREE_LIST, WORKS,                                                    \
              "`mountPath`, `subPath`, `subPathExpr`, `readOnly`"),                                \
        FIELD("volumeDevices", FREE_LIST, DIFFERS, "ignored: there are no block devices"),         \
        FIELD("readinessProbe", FREE_OBJECT, DIFFERS,                                              \
              "of a daemon's container or script: exec, httpGet (not by HTTPS), tcpSocket, asked " \
              "more often than "                                                                   \
              "periodSeconds at first; without one a daemon is ready when it started; else "       \
              "ignored"),                                                                          \
        FIELD("livenessProbe", FREE_OBJECT, DIFFERS, "ignored"),                                   \
        FIELD("startupProbe", FREE_OBJECT, DIFFERS, "ignored"),                                    \
        FIELD("lifecycle", FREE_OBJECT, DIFFERS, "ignored"),                                       \
        FIELD("ports", FREE_LIST, CLUSTER, ""),                                                    \
        FIELD(                                                                                     \
            "imagePullPolicy", TEXT, DIFFERS,                                                      \
            "`Always`, `IfNotPresent`, `Never`, unless `--pull` says otherwise; without it what "  \
            "is here is used, also of `latest`"),                                                  \
        FIELD("terminationMessagePath", TEXT, CLUSTER, ""),                                        \
        FIELD("terminationMessagePolicy", TEXT, CLUSTER, ""),                                      \
        FIELD("restartPolicy", TEXT, CLUSTER, ""), FIELD("stdin", BOOL, CLUSTER, ""),              \
        FIELD("stdinOnce", BOOL, CLUSTER, ""), FIELD("tty", BOOL, CLUSTER, ""),                    \
        FIELD("securityContext", FREE_OBJECT, DIFFERS,                                             \
              "`runAsUser`, `runAsGroup`, of steps in images; others run as who runs weir"),       \
        FIELD("resizePolicy", FREE_LIST, CLUSTER, ""),                                             \
        FIELD("restartPolicyRules", FREE_LIST, CLUSTER, ""),

FIELDS(object_meta) = {
    "metadata", "Metadata", "metadata.",
    (const weir__field_entry[]){
        FIELD("name", TEXT, WORKS, "`--name` and `--generate-name` win"),
        FIELD("generateName", TEXT, WORKS, "`--name` and `--generate-name` win"),
        FIELD("namespace", TEXT, CLUSTER, "there are no namespaces"),
        FIELD("labels", TEXT_MAP, DIFFERS, "kept with the run, for `weir list --label`"),
        FIELD("annotations", TEXT_MAP, DIFFERS, "accepted; there for tags"),
        FIELD("uid", FREE, OLD, ""), FIELD("resourceVersion", FREE, OLD, ""),
        FIELD("selfLink", FREE, OLD, ""), FIELD("creationTimestamp", FREE, OLD, ""),
        FIELD("deletionTimestamp", FREE, OLD, ""), FIELD("generation", FREE, OLD, ""),
        FIELD("deletionGracePeriodSeconds", FREE, OLD, ""), FIELD("finalizers", FREE_LIST, OLD, ""),
        FIELD("ownerReferences", FREE_LIST, OLD, ""), FIELD("managedFields", FREE_LIST, OLD, ""),
        END}};

FIELDS(short_meta) = {"metadata", NULL, "",
                      (const weir__field_entry[]){FIELD("name", TEXT, CLUSTER, ""),
                                                  FIELD("labels", TEXT_MAP, WORKS, ""),
                                                  FIELD("annotations", TEXT_MAP, WORKS, ""),
                                                  FIELD("creationTimestamp", FREE, OLD, ""), END}};

FIELDS(text_key) = {"a key", NULL, "",
                    (const weir__field_entry[]){FIELD("name", TEXT, WORKS, ""),
                                                FIELD("key", TEXT, WORKS, ""),
                                                FIELD("optional", BOOL, WORKS, ""), END}};

FIELDS(value_from) = {
    "`valueFrom`", "Where a parameter comes from", "valueFrom.",
    (const weir__field_entry[]){
        FIELD("path", TEXT, WORKS, "of outputs of containers and scripts"),
        FIELD("jsonPath", TEXT, NOT_YET, "of `resource` templates, which need Kubernetes"),
        FIELD("jqFilter", TEXT, NOT_YET, "of `resource` templates, which need Kubernetes"),
        FIELD("event", TEXT, NOT_YET, "of events"),
        FIELD("parameter", TEXT, WORKS, "of outputs of steps and DAG templates"),
        FIELD("expression", TEXT, WORKS, "of outputs of steps and DAG templates"),
        FIELD("supplied", FREE_OBJECT, WORKS, "of suspend templates"),
        OF("configMapKeyRef", OBJECT, WORKS, text_key,
           "of inputs and arguments: a ConfigMap of the same file or a `--library`, read when the "
           "run "
           "begins; `optional`, `default`; it needs no label; name and key may be a tag of one of "
           "the workflow's parameters"),
        FIELD("default", ANY_TEXT, WORKS, ""), END}};

FIELDS(parameter) = {
    "a parameter", "Parameters", "parameter ",
    (const weir__field_entry[]){
        FIELD("name", TEXT, WORKS, ""),
        FIELD("default", ANY_TEXT, WORKS, "numbers and booleans become texts"),
        FIELD("value", ANY_TEXT, WORKS, "numbers and booleans become texts"),
        OF("valueFrom", OBJECT, DIFFERS, value_from, "see below"),
        FIELD("globalName", TEXT, WORKS, "of outputs; elsewhere it means nothing"),
        FIELD("enum", FREE_LIST, WORKS, "of arguments; that of inputs is a hint, as in Argo"),
        FIELD("description", TEXT, WORKS, ""), END}};

FIELDS(archive) = {"`archive`", NULL, "",
                   (const weir__field_entry[]){OF("tar", OBJECT, WORKS, tar, ""),
                                               FIELD("none", FREE_OBJECT, WORKS, ""),
                                               FIELD("zip", FREE_OBJECT, WORKS, ""), END}};

FIELDS(tar) = {"`tar`", NULL, "",
               (const weir__field_entry[]){FIELD("compressionLevel", INT, WORKS, ""), END}};

FIELDS(artifact_gc) = {
    "`artifactGC`", NULL, "",
    (const weir__field_entry[]){
        CHOICE("strategy", WORKS, "OnWorkflowCompletion|OnWorkflowDeletion|Never", ""),
        OF("podMetadata", OBJECT, CLUSTER, short_meta, ""),
        FIELD("serviceAccountName", TEXT, CLUSTER, ""), FIELD("podSpecPatch", TEXT, CLUSTER, ""),
        FIELD("forceFinalizerRemoval", BOOL, CLUSTER, ""), END}};

FIELDS(s3) = {"`s3`", NULL, "",
              (const weir__field_entry[]){
                  FIELD("endpoint", TEXT, DIFFERS, ""), FIELD("bucket", TEXT, DIFFERS, ""),
                  FIELD("region", TEXT, DIFFERS, ""), FIELD("roleARN", TEXT, DIFFERS, ""),
                  FIELD("key", TEXT, WORKS, ""), FIELD("insecure", BOOL, DIFFERS, ""),
                  FIELD("useSDKCreds", BOOL, DIFFERS, ""),
                  OF("accessKeySecret", OBJECT, DIFFERS, text_key, ""),
                  OF("secretKeySecret", OBJECT, DIFFERS, text_key, ""),
                  OF("sessionTokenSecret", OBJECT, DIFFERS, text_key, ""),
                  OF("caSecret", OBJECT, DIFFERS, text_key, ""),
                  FIELD("createBucketIfNotPresent", FREE_OBJECT, DIFFERS, ""),
                  FIELD("encryptionOptions", FREE_OBJECT, DIFFERS, ""),
                  FIELD("addressingStyle", TEXT, DIFFERS, ""), END}};

FIELDS(gcs) = {
    "`gcs`", NULL, "",
    (const weir__field_entry[]){FIELD("bucket", TEXT, DIFFERS, ""), FIELD("key", TEXT, WORKS, ""),
                                OF("serviceAccountKeySecret", OBJECT, DIFFERS, text_key, ""), END}};

FIELDS(oss) = {"`oss`", NULL, "",
               (const weir__field_entry[]){
                   FIELD("endpoint", TEXT, DIFFERS, ""), FIELD("bucket", TEXT, DIFFERS, ""),
                   FIELD("key", TEXT, WORKS, ""), FIELD("securityToken", TEXT, DIFFERS, ""),
                   OF("accessKeySecret", OBJECT, DIFFERS, text_key, ""),
                   OF("secretKeySecret", OBJECT, DIFFERS, text_key, ""),
                   FIELD("createBucketIfNotPresent", BOOL, DIFFERS, ""),
                   FIELD("useSDKCreds", BOOL, DIFFERS, ""),
                   FIELD("lifecycleRule", FREE_OBJECT, DIFFERS, ""), END}};

FIELDS(azure) = {"`azure`", NULL, "",
                 (const weir__field_entry[]){FIELD("endpoint", TEXT, DIFFERS, ""),
                                             FIELD("container", TEXT, DIFFERS, ""),
                                             FIELD("blob", TEXT, WORKS, ""),
                                             OF("accountKeySecret", OBJECT, DIFFERS, text_key, ""),
                                             FIELD("useSDKCreds", BOOL, DIFFERS, ""), END}};

FIELDS(hdfs) = {"`hdfs`", NULL, "",
                (const weir__field_entry[]){
                    FIELD("addresses", TEXTS, DIFFERS, ""), FIELD("hdfsUser", TEXT, DIFFERS, ""),
                    FIELD("krbUsername", TEXT, DIFFERS, ""), FIELD("krbRealm", TEXT, DIFFERS, ""),
                    FIELD("krbServicePrincipalName", TEXT, DIFFERS, ""),
                    FIELD("dataTransferProtection", TEXT, DIFFERS, ""),
                    FIELD("path", TEXT, WORKS, ""),
                    OF("krbCCacheSecret", OBJECT, DIFFERS, text_key, ""),
                    OF("krbKeytabSecret", OBJECT, DIFFERS, text_key, ""),
                    OF("krbConfigConfigMap", OBJECT, DIFFERS, text_key, ""),
                    FIELD("force", BOOL, DIFFERS, ""), END}};

FIELDS(artifactory) = {
    "`artifactory`", NULL, "",
    (const weir__field_entry[]){FIELD("url", TEXT, WORKS, ""),
                                OF("usernameSecret", OBJECT, DIFFERS, text_key, ""),
                                OF("passwordSecret", OBJECT, DIFFERS, text_key, ""), END}};

FIELDS(http_artifact) = {"`http`", NULL, "",
                         (const weir__field_entry[]){
                             FIELD("url", TEXT, WORKS, ""), FIELD("headers", FREE_LIST, WORKS, ""),
                             FIELD("auth", FREE_OBJECT, WORKS, ""),
                             FIELD("saveStreamViaFile", BOOL, WORKS, ""), END}};

FIELDS(git) = {"`git`", NULL, "",
               (const weir__field_entry[]){
                   FIELD("repo", TEXT, WORKS, ""), FIELD("revision", TEXT, WORKS, ""),
                   FIELD("branch", TEXT, WORKS, ""), FIELD("depth", INT, WORKS, ""),
                   FIELD("fetch", TEXTS, WORKS, ""), FIELD("singleBranch", BOOL, WORKS, ""),
                   FIELD("disableSubmodules", BOOL, WORKS, ""),
                   FIELD("insecureSkipTLS", BOOL, WORKS, ""),
                   FIELD("insecureIgnoreHostKey", BOOL, WORKS, ""),
                   OF("usernameSecret", OBJECT, WORKS, text_key, ""),
                   OF("passwordSecret", OBJECT, WORKS, text_key, ""),
                   OF("sshPrivateKeySecret", OBJECT, WORKS, text_key, ""), END}};

FIELDS(raw) = {"`raw`", NULL, "", (const weir__field_entry[]){FIELD("data", TEXT, WORKS, ""), END}};

FIELDS(plugin_artifact) = {
    "`plugin`", NULL, "",
    (const weir__field_entry[]){
        FIELD("name", TEXT, DIFFERS, ""), FIELD("configuration", TEXT, DIFFERS, ""),
        FIELD("key", TEXT, DIFFERS, ""), FIELD("connectionTimeoutSeconds", INT, DIFFERS, ""), END}};

FIELDS(artifact) = {"an artifact", "Artifacts", "artifact ",
                    (const weir__field_entry[]){
                        FIELD("name", TEXT, WORKS, ""), FIELD("path", TEXT, WORKS, ""),
                        FIELD("from", TEXT, WORKS, ""), FIELD("fromExpression", TEXT, WORKS, ""),
                        FIELD("globalName", TEXT, WORKS, ""), FIELD("subPath", TEXT, WORKS, ""),
                        FIELD("mode", INT, WORKS, ""),
                        OF("archive", OBJECT, WORKS, archive, "`tar`, `none`, `zip`"),
                        FIELD("optional", BOOL, WORKS, ""), FIELD("recurseMode", BOOL, WORKS, ""),
                        FIELD("deleted", BOOL, DIFFERS, "accepted"),
                        OF("artifactGC", OBJECT, WORKS, artifact_gc, ""), LOCATION_FIELDS END}};

FIELDS(location) = {"a location", NULL, "", (const weir__field_entry[]){LOCATION_FIELDS END}};

FIELDS(arguments) = {
    "arguments", "Arguments", "arguments.",
    (const weir__field_entry[]){OF("parameters", LIST, WORKS, parameter,
                                   "one that the template does not declare is ignored, as in Argo"),
                                OF("artifacts", LIST, WORKS, artifact, ""), END}};

FIELDS(inputs) = {"inputs", "Inputs", "inputs.",
                  (const weir__field_entry[]){OF("parameters", LIST, WORKS, parameter, ""),
                                              OF("artifacts", LIST, WORKS, artifact, ""), END}};

FIELDS(outputs) = {"outputs", "Outputs", "outputs.",
                   (const weir__field_entry[]){OF("parameters", LIST, WORKS, parameter, ""),
                                               OF("artifacts", LIST, WORKS, artifact, ""),
                                               FIELD("result", TEXT, OLD, ""),
                                               FIELD("exitCode", TEXT, OLD, ""), END}};

FIELDS(template_ref) = {
    "`templateRef`", NULL, "",
    (const weir__field_entry[]){FIELD("name", TEXT, WORKS, ""), FIELD("template", TEXT, WORKS, ""),
                                FIELD("clusterScope", BOOL, WORKS, ""),
                                FIELD("runtimeResolution", BOOL, OLD, ""), END}};

FIELDS(hook) = {"a hook", "Hooks", "hooks.NAME.",
                (const weir__field_entry[]){FIELD("template", TEXT, WORKS, ""),
                                            OF("templateRef", OBJECT, WORKS, template_ref, ""),
                                            OF("arguments", OBJECT, WORKS, arguments, ""),
                                            FIELD("expression", TEXT, WORKS, ""), END}};

FIELDS(continue_on) = {"`continueOn`", NULL, "",
                       (const weir__field_entry[]){FIELD("error", BOOL, WORKS, ""),
                                                   FIELD("failed", BOOL, WORKS, ""), END}};

FIELDS(sequence) = {"`withSequence`", NULL, "",
                    (const weir__field_entry[]){
                        FIELD("count", INT_TEXT, WORKS, ""), FIELD("start", INT_TEXT, WORKS, ""),
                        FIELD("end", INT_TEXT, WORKS, ""), FIELD("format", TEXT, WORKS, ""), END}};

FIELDS(step) = {"a step", "Steps", "step ", (const weir__field_entry[]){CALL_FIELDS END}};

FIELDS(task) = {
    "a task", "DAG tasks", "task ",
    (const weir__field_entry[]){CALL_FIELDS FIELD("dependencies", TEXTS, WORKS, ""),
                                FIELD("depends", TEXT, WORKS,
                                      "`.Succeeded`, `.Failed`, `.Errored`, `.Skipped`, "
                                      "`.Omitted`, `.Daemoned`, &&, &#124;&#124;, !, parentheses"),
                                END}};

FIELDS(dag) = {"`dag`", "DAG", "dag.",
               (const weir__field_entry[]){
                   OF("tasks", LIST, WORKS, task, ""), FIELD("target", TEXT, WORKS, ""),
                   FIELD("failFast", BOOL, WORKS, "as in Argo it does not stop other branches"),
                   END}};

FIELDS(env) = {
    "a variable", "Variables of containers", "env ",
    (const weir__field_entry[]){FIELD("name", TEXT, WORKS, ""), FIELD("value", TEXT, WORKS, ""),
                                OF("valueFrom", OBJECT, WORKS, env_from,
                                   "a secret is given as `--secret NAME.KEY=…` or as a Secret "
                                   "document, a config map as a document"),
                                END}};

FIELDS(env_from) = {
    "`valueFrom`", NULL, "",
    (const weir__field_entry[]){
        OF("secretKeyRef", OBJECT, WORKS, text_key, ""),
        OF("configMapKeyRef", OBJECT, WORKS, text_key, ""),
        FIELD("fieldRef", FREE_OBJECT, WORKS,
              "name, namespace, uid, labels, annotations, node, service "
              "account, addresses (127.0.0.1)"),
        FIELD("resourceFieldRef", FREE_OBJECT, WORKS, "without a limit what the machine has"),
        FIELD("fileKeyRef", FREE_OBJECT, NOT_YET, ""), END}};

FIELDS(container) = {"a container", "Containers", "container.",
                     (const weir__field_entry[]){CONTAINER_FIELDS END}};

FIELDS(script) = {
    "a script", "Scripts", "script.",
    (const weir__field_entry[]){CONTAINER_FIELDS FIELD("source", TEXT, WORKS, ""), END}};

FIELDS(user_container) = {"a container", NULL, "",
                          (const weir__field_entry[]){
                              CONTAINER_FIELDS FIELD("mirrorVolumeMounts", BOOL, WORKS, ""), END}};

FIELDS(set_container) = {
    "a container", NULL, "",
    (const weir__field_entry[]){CONTAINER_FIELDS FIELD("dependencies", TEXTS, WORKS, ""), END}};

FIELDS(set_retry) = {
    "`retryStrategy`", NULL, "",
    (const weir__field_entry[]){
        FIELD("retries", INT_TEXT, WORKS, "beyond the first try, in a root of its own"),
        FIELD("duration", TEXT, WORKS, ""), END}};

FIELDS(container_set) = {
    "`containerSet`", "Container sets", "containerSet.",
    (const weir__field_entry[]){OF("containers", LIST, WORKS, set_container, ""),
                                FIELD("volumeMounts", FREE_LIST, WORKS, "of each container"),
                                OF("retryStrategy", OBJECT, WORKS, set_retry, ""), END}};

FIELDS(suspend) = {
    "`suspend`", "Suspend", "suspend.",
    (const weir__field_entry[]){
        FIELD("duration", INT_TEXT, WORKS, "without it a suspension lasts until the run ends"),
        END}};

FIELDS(resource) = {
    "`resource`", "Resources", "resource.",
    (const weir__field_entry[]){
        CHOICE("action", NOT_YET, "get|create|apply|delete|replace|patch", ""),
        CHOICE("mergeStrategy", NOT_YET, "strategic|merge|json", ""),
        FIELD("manifest", TEXT, NOT_YET, ""), FIELD("successCondition", TEXT, NOT_YET, ""),
        FIELD("failureCondition", TEXT, NOT_YET, ""),
        FIELD("manifestFrom", FREE_OBJECT, NOT_YET, ""), FIELD("flags", TEXTS, NOT_YET, ""),
        FIELD("setOwnerReference", BOOL, NOT_YET, ""), END}};

FIELDS(data) = {"`data`", "Data", "data.",
                (const weir__field_entry[]){
                    OF("source", OBJECT, WORKS, data_source, "`artifactPaths`"),
                    OF("transformation", LIST, WORKS, transformation, "`expression`"), END}};

FIELDS(data_source) = {
    "`source`", NULL, "",
    (const weir__field_entry[]){OF("artifactPaths", OBJECT, WORKS, artifact, ""), END}};

FIELDS(transformation) = {"a transformation", NULL, "",
                          (const weir__field_entry[]){FIELD("expression", TEXT, WORKS, ""), END}};

FIELDS(http) = {
    "`http`", "HTTP", "http.",
    (const weir__field_entry[]){
        CHOICE("method", WORKS, "GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|CONNECT|TRACE", ""),
        FIELD("url", TEXT, WORKS, "a body above 1 MiB fails the node"),
        FIELD("body", TEXT, WORKS, ""), FIELD("successCondition", TEXT, WORKS, ""),
        FIELD("headers", FREE_LIST, WORKS, ""), FIELD("timeoutSeconds", INT, WORKS, ""),
        FIELD("bodyFrom", FREE_OBJECT, WORKS, ""), FIELD("insecureSkipVerify", BOOL, WORKS, ""),
        END}};

FIELDS(backoff) = {"`backoff`", NULL, "",
                   (const weir__field_entry[]){FIELD("duration", INT_TEXT, WORKS, ""),
                                               FIELD("maxDuration", INT_TEXT, WORKS, ""),
                                               FIELD("cap", INT_TEXT, WORKS, ""),
                                               FIELD("factor", INT_TEXT, WORKS, ""), END}};

FIELDS(retry) = {
    "`retryStrategy`", "Retries", "retryStrategy.",
    (const weir__field_entry[]){
        FIELD("limit", INT_TEXT, WORKS, ""),
        FIELD("retryPolicy", TEXT, WORKS,
              "`OnTransientError` retries nothing: there is no cluster whose errors pass"),
        OF("backoff", OBJECT, WORKS, backoff, "`duration`, `factor`, `cap`, `maxDuration`"),
        FIELD("affinity", FREE_OBJECT, CLUSTER, ""), FIELD("expression", TEXT, WORKS, ""), END}};

FIELDS(mutex) = {"a mutex", NULL, "",
                 (const weir__field_entry[]){FIELD("name", TEXT, WORKS, ""),
                                             FIELD("namespace", TEXT, WORKS, ""),
                                             FIELD("database", BOOL, WORKS, ""), END}};

FIELDS(semaphore) = {
    "a semaphore", NULL, "",
    (const weir__field_entry[]){OF("configMapKeyRef", OBJECT, WORKS, text_key, ""),
                                OF("database", OBJECT, WORKS, sync_database,
                                   "its limit is `workflow: {semaphores: {KEY: 3}}` of weir.yaml"),
                                FIELD("namespace", TEXT, WORKS, ""), END}};

FIELDS(sync_database) = {"`database`", NULL, "",
                         (const weir__field_entry[]){FIELD("key", TEXT, WORKS, ""), END}};

FIELDS(synchronization) = {
    "`synchronization`", "Synchronization", "synchronization.",
    (const weir__field_entry[]){
        OF("mutexes", LIST, WORKS, mutex,
           "between all runs of a store, [of whatever processes](guide/synchronization.md)"),
        OF("semaphores", LIST, WORKS, semaphore, ""),
        OF("mutex", OBJECT, WORKS, mutex, "read as `mutexes`"),
        OF("semaphore", OBJECT, WORKS, semaphore, "read as `semaphores`"), END}};

FIELDS(memo_cache) = {
    "`cache`", NULL, "",
    (const weir__field_entry[]){OF("configMap", OBJECT, WORKS, text_key, ""), END}};

FIELDS(memoize) = {
    "`memoize`", "Memoize", "memoize.",
    (const weir__field_entry[]){
        FIELD("key", TEXT, WORKS, ""), FIELD("maxAge", TEXT, WORKS, ""),
        OF("cache", OBJECT, WORKS, memo_cache,
           "the config map is a cache of that name in weir's store; `weir cache` shows it"),
        END}};

FIELDS(metric_label) = {"a label", NULL, "",
                        (const weir__field_entry[]){FIELD("key", TEXT, WORKS, ""),
                                                    FIELD("value", TEXT, WORKS, ""), END}};

FIELDS(gauge) = {"`gauge`", NULL, "",
                 (const weir__field_entry[]){
                     FIELD("value", TEXT, WORKS, ""), CHOICE("operation", WORKS, "Set|Add|Sub", ""),
                     FIELD("realtime", BOOL, WORKS, "also shown while it runs"), END}};

FIELDS(counter) = {"`counter`", NULL, "",
                   (const weir__field_entry[]){FIELD("value", TEXT, WORKS, ""), END}};

FIELDS(histogram) = {"`histogram`", NULL, "",
                     (const weir__field_entry[]){FIELD("value", TEXT, WORKS, ""),
                                                 FIELD("buckets", FREE_LIST, WORKS, ""), END}};

FIELDS(prometheus) = {
    "a metric", NULL, "",
    (const weir__field_entry[]){
        FIELD("name", TEXT, WORKS, ""), FIELD("help", TEXT, WORKS, ""),
        FIELD("when", TEXT, WORKS, ""), OF("labels", LIST, WORKS, metric_label, ""),
        OF("gauge", OBJECT, WORKS, gauge, ""), OF("counter", OBJECT, WORKS, counter, ""),
        OF("histogram", OBJECT, WORKS, histogram, ""), END}};

FIELDS(metrics) = {
    "`metrics`", "Metrics", "metrics.",
    (const weir__field_entry[]){
        OF("prometheus", LIST, WORKS, prometheus, "`gauge`, `counter`, `histogram`"), END}};

FIELDS(executor) = {
    "`executor`", NULL, "",
    (const weir__field_entry[]){FIELD("serviceAccountName", TEXT, CLUSTER, ""), END}};

FIELDS(template) = {
    "a template", "Templates", "template ",
    (const weir__field_entry[]){
        FIELD("name", TEXT, WORKS, "of letters, digits and `-`"),
        OF("inputs", OBJECT, WORKS, inputs, ""),
        OF("outputs", OBJECT, WORKS, outputs, ""),
        OF("metadata", OBJECT, DIFFERS, short_meta,
           "`annotations` `weir.estimate/…` say what it takes; the rest is accepted and dropped"),
        FIELD("annotations", TEXT_MAP, DIFFERS,
              "`workflows.argoproj.io/display-name`: what nodes are shown as; `weir.estimate/…` as "
              "in "
              "`metadata`; the rest is dropped"),
        OF("container", OBJECT, WORKS, container, ""),
        OF("script", OBJECT, WORKS, script, ""),
        OF("steps", LISTS, WORKS, step, ""),
        OF("dag", OBJECT, WORKS, dag, ""),
        FIELD("plugin", FREE_OBJECT, DIFFERS,
              "`weir: {run: FILE, inputs: {NAME: TEXT}}` runs any file of weir's as a child run; "
              "others are called by Argo's protocol where weir.yaml says: `workflow: {plugins: "
              "{NAME: {address: URL, token: SECRET}}}`"),
        OF("suspend", OBJECT, WORKS, suspend, ""),
        OF("containerSet", OBJECT, WORKS, container_set, "at most 127 containers of an attempt"),
        OF("data", OBJECT, WORKS, data, "a pod that lists keys of the local repository"),
        OF("http", OBJECT, WORKS, http, ""),
        OF("resource", OBJECT, NOT_YET, resource, ""),
        FIELD("daemon", BOOL, WORKS,
              "of containers, scripts and container sets; refused elsewhere"),
        OF("sidecars", LIST, WORKS, user_container, "of containers, scripts and container sets"),
        OF("initContainers", LIST, WORKS, user_container,
           "of containers, scripts and container sets"),
        FIELD("volumes", FREE_LIST, WORKS,
              "emptyDir, persistentVolumeClaim (a folder of the state), configMap, secret, "
              "projected, downwardAPI, ephemeral; hostPath with `--allow-host-path`; other kinds "
              "are refused"),
        OF("archiveLocation", OBJECT, WORKS, location,
           "its key; logs are always kept with the run"),
        FIELD("activeDeadlineSeconds", INT_TEXT, WORKS,
              "of containers, scripts and plugins; beside `timeout` only the shorter counts"),
        FIELD("timeout", TEXT, WORKS,
              "of containers, scripts and plugins, counted exactly; refused elsewhere"),
        FIELD("pendingTimeout", TEXT, WORKS, "of those that wait for locks"),
        OF("retryStrategy", OBJECT, WORKS, retry, ""),
        FIELD("parallelism", INT, WORKS, "of steps and DAG templates"),
        FIELD("failFast", BOOL, WORKS, "of steps and DAG templates"),
        OF("synchronization", OBJECT, WORKS, synchronization, ""),
        OF("memoize", OBJECT, WORKS, memoize,
           "of all kinds; what never comes to an end by itself (`suspend`, `daemon`) is never "
           "remembered"),
        OF("metrics", OBJECT, WORKS, metrics, "kept with the run: `weir metrics`"),
        FIELD("podSpecPatch", TEXT, DIFFERS,
              "of containers, initContainers and volumes; other fields are named in a warning"),
        FIELD("priority", INT, WORKS,
              "of the steps of a run that are ready the highest begin first; else `podPriority`"),
        OF("arguments", OBJECT, OLD, arguments, ""),
        FIELD("template", TEXT, OLD, ""),
        OF("templateRef", OBJECT, OLD, template_ref, ""),
        FIELD("resubmitPendingPods", BOOL, OLD, ""),
        OF("executor", OBJECT, CLUSTER, executor, ""),
        FIELD("serviceAccountName", TEXT, CLUSTER, ""),
        FIELD("schedulerName", TEXT, CLUSTER, ""),
        FIELD("priorityClassName", TEXT, CLUSTER, ""),
        FIELD("automountServiceAccountToken", BOOL, CLUSTER, ""),
        FIELD("nodeSelector", TEXT_MAP, CLUSTER, ""),
        FIELD("affinity", FREE_OBJECT, CLUSTER, ""),
        FIELD("tolerations", FREE_LIST, CLUSTER, ""),
        FIELD("hostAliases", FREE_LIST, CLUSTER_SAID, "names are looked up as on this machine"),
        FIELD("securityContext", FREE_OBJECT, DIFFERS,
              "`runAsUser`, `runAsGroup`, of steps in images; others run as who runs weir"),
        FIELD("podResources", FREE_OBJECT, CLUSTER, ""),
        FIELD("resourceClaims", FREE_LIST, CLUSTER, ""),
        END}};

FIELDS(ttl) = {"`ttlStrategy`", NULL, "",
               (const weir__field_entry[]){FIELD("secondsAfterCompletion", INT, WORKS, ""),
                                           FIELD("secondsAfterSuccess", INT, WORKS, ""),
                                           FIELD("secondsAfterFailure", INT, WORKS, ""), END}};

FIELDS(repository_ref) = {"`artifactRepositoryRef`", NULL, "",
                          (const weir__field_entry[]){FIELD("configMap", TEXT, DIFFERS, ""),
                                                      FIELD("key", TEXT, DIFFERS, ""), END}};

FIELDS(wf_artifact_gc) = {
    "`artifactGC`", NULL, "",
    (const weir__field_entry[]){
        CHOICE("strategy", WORKS, "OnWorkflowCompletion|OnWorkflowDeletion|Never", ""),
        FIELD("serviceAccountName", TEXT, DIFFERS, ""), FIELD("podSpecPatch", TEXT, DIFFERS, ""),
        OF("podMetadata", OBJECT, CLUSTER, short_meta, ""),
        FIELD("forceFinalizerRemoval", BOOL, DIFFERS, ""), END}};

FIELDS(volume_claim_gc) = {
    "`volumeClaimGC`", NULL, "",
    (const weir__field_entry[]){
        CHOICE("strategy", WORKS, "OnWorkflowCompletion|OnWorkflowSuccess", ""), END}};

FIELDS(pod_gc) = {
    "`podGC`", NULL, "",
    (const weir__field_entry[]){
        CHOICE("strategy", DIFFERS,
               "OnPodCompletion|OnPodSuccess|OnWorkflowCompletion|OnWorkflowSuccess", ""),
        FIELD("labelSelector", FREE_OBJECT, DIFFERS, ""),
        FIELD("deleteDelayDuration", TEXT, DIFFERS, ""), END}};

FIELDS(workflow_ref) = {"`workflowTemplateRef`", NULL, "",
                        (const weir__field_entry[]){FIELD("name", TEXT, WORKS, ""),
                                                    FIELD("clusterScope", BOOL, WORKS, ""), END}};

FIELDS(label_from) = {"a label", NULL, "",
                      (const weir__field_entry[]){FIELD("expression", TEXT, DIFFERS, ""), END}};

FIELDS(workflow_metadata) = {
    "`workflowMetadata`", "Workflow metadata", "spec.workflowMetadata.",
    (const weir__field_entry[]){FIELD("labels", TEXT_MAP, WORKS, "those without tags"),
                                FIELD("annotations", TEXT_MAP, WORKS, "there for tags"),
                                OF("labelsFrom", MAP, WORKS, label_from, "there for tags"), END}};

FIELDS(spec) = {
    "the workflow's spec", "Workflow spec", "spec.",
    (const weir__field_entry[]){
        OF("templates", LIST, WORKS, template, ""),
        FIELD("entrypoint", TEXT, WORKS, "`--entrypoint` wins"),
        OF("arguments", OBJECT, WORKS, arguments, "`-p NAME=TEXT` wins, and may add new ones"),
        FIELD("onExit", TEXT, WORKS,
              "runs also when the workflow was stopped, not when it was terminated"),
        OF("hooks", MAP, WORKS, hook, "with an `expression`, but for `exit`"),
        FIELD("parallelism", INT, WORKS,
              "of pods; the whole machine's limit is the setting `limits.attempts`"),
        FIELD("suspend", BOOL, WORKS, "the run begins suspended: `weir resume`"),
        CHOICE("shutdown", WORKS, "Stop|Terminate",
               "`weir cancel` is Stop, `weir cancel --terminate` is Terminate"),
        FIELD("activeDeadlineSeconds", INT, WORKS, "0 is taken for absent"),
        FIELD("priority", INT, WORKS,
              "orders who waits for locks, which of the runs that are left to another process "
              "begin first, and, of runs that one process drives, whose steps begin where there is "
              "not room for all"),
        OF("retryStrategy", OBJECT, WORKS, retry, "of each template without its own"),
        OF("templateDefaults", OBJECT, WORKS, template,
           "merged into each template, as a strategic merge patch"),
        OF("workflowTemplateRef", OBJECT, WORKS, workflow_ref, "of the same file or a `--library`"),
        OF("workflowMetadata", OBJECT, WORKS, workflow_metadata,
           "there for tags, not for `weir list`"),
        OF("synchronization", OBJECT, WORKS, synchronization, ""),
        OF("metrics", OBJECT, WORKS, metrics, "kept with the run: `weir metrics`"),
        OF("ttlStrategy", OBJECT, WORKS, ttl,
           "a run that is over for so long goes before the next command looks; "
           "`weir keep` keeps it"),
        OF("artifactRepositoryRef", OBJECT, DIFFERS, repository_ref,
           "its `keyFormat`, where a `--library` has the config map; where it is, weir.yaml says"),
        OF("artifactGC", OBJECT, WORKS, wf_artifact_gc, ""),
        FIELD("archiveLogs", BOOL, WORKS,
              "as `main-logs`; of a set as `NAME-logs` of each container"),
        FIELD("volumes", FREE_LIST, WORKS,
              "emptyDir, persistentVolumeClaim (a folder of the state), configMap, secret, "
              "projected, downwardAPI, ephemeral; hostPath with `--allow-host-path`; other kinds "
              "are refused"),
        FIELD("volumeClaimTemplates", FREE_LIST, WORKS,
              "each a folder of the run; sizes are not looked at"),
        OF("volumeClaimGC", OBJECT, WORKS, volume_claim_gc, "what stays goes with the run"),
        OF("podMetadata", OBJECT, DIFFERS, short_meta, "accepted and dropped"),
        OF("podGC", OBJECT, DIFFERS, pod_gc,
           "ignored: an attempt leaves nothing behind but its log"),
        FIELD("podSpecPatch", TEXT, DIFFERS,
              "of containers, initContainers and volumes; other fields are named in a warning"),
        FIELD("executorPlugins", FREE_LIST, NOT_YET, ""),
        FIELD("podResources", FREE_OBJECT, CLUSTER, ""),
        FIELD("resourceClaims", FREE_LIST, CLUSTER, ""),
        FIELD("nodeSelector", TEXT_MAP, CLUSTER, ""),
        FIELD("affinity", FREE_OBJECT, CLUSTER, ""),
        FIELD("tolerations", FREE_LIST, CLUSTER, ""),
        FIELD("schedulerName", TEXT, CLUSTER, ""),
        FIELD("podPriorityClassName", TEXT, CLUSTER, ""),
        FIELD("serviceAccountName", TEXT, CLUSTER, ""),
        FIELD("automountServiceAccountToken", BOOL, CLUSTER, ""),
        OF("executor", OBJECT, CLUSTER, executor, ""),
        FIELD("imagePullSecrets", FREE_LIST, CLUSTER, ""),
        FIELD("hostNetwork", BOOL, CLUSTER, ""),
        FIELD("hostAliases", FREE_LIST, CLUSTER_SAID, "names are looked up as on this machine"),
        FIELD("dnsPolicy", TEXT, CLUSTER, ""),
        FIELD("dnsConfig", FREE_OBJECT, CLUSTER_SAID, "names are looked up as on this machine"),
        FIELD("securityContext", FREE_OBJECT, DIFFERS,
              "`runAsUser`, `runAsGroup`, of steps in images; others run as who runs weir"),
        FIELD("podDisruptionBudget", FREE_OBJECT, CLUSTER, ""),
        FIELD("podPriority", INT, WORKS, "of each template without a `priority`"),
        END}};

FIELDS(stop_strategy) = {"`stopStrategy`", NULL, "",
                         (const weir__field_entry[]){FIELD("expression", TEXT, WORKS, ""), END}};

FIELDS(cron_spec) = {"the CronWorkflow's spec", NULL, "",
                     (const weir__field_entry[]){
                         OF("workflowSpec", OBJECT, WORKS, spec, ""),
                         OF("workflowMetadata", OBJECT, WORKS, object_meta, ""),
                         FIELD("schedules", TEXTS, WORKS, ""), FIELD("schedule", TEXT, WORKS, ""),
                         FIELD("timezone", TEXT, WORKS, ""),
                         CHOICE("concurrencyPolicy", WORKS, "Allow|Forbid|Replace", ""),
                         FIELD("when", TEXT, WORKS, ""), FIELD("suspend", BOOL, WORKS, ""),
                         FIELD("startingDeadlineSeconds", INT, WORKS, ""),
                         FIELD("successfulJobsHistoryLimit", INT, WORKS, ""),
                         FIELD("failedJobsHistoryLimit", INT, WORKS, ""),
                         OF("stopStrategy", OBJECT, WORKS, stop_strategy, ""), END}};

FIELDS(workflow) = {
    "a Workflow", "The file", "",
    (const weir__field_entry[]){
        FIELD("apiVersion", TEXT, WORKS, "`argoproj.io/v1alpha1`"),
        FIELD("kind", TEXT, WORKS, "`argoproj.io/v1alpha1`"),
        OF("metadata", OBJECT, WORKS, object_meta, ""), OF("spec", OBJECT, WORKS, spec, ""),
        FIELD("status", FREE, DIFFERS, "ignored: a file always starts a new run"), END}};

FIELDS(workflow_template) = {
    "a template of workflows", NULL, "",
    (const weir__field_entry[]){
        FIELD("apiVersion", TEXT, WORKS, "`argoproj.io/v1alpha1`"),
        FIELD("kind", TEXT, WORKS, "`argoproj.io/v1alpha1`"),
        OF("metadata", OBJECT, WORKS, object_meta, ""), OF("spec", OBJECT, WORKS, spec, ""),
        FIELD("status", FREE, DIFFERS, "ignored: a file always starts a new run"), END}};

FIELDS(cron) = {
    "a CronWorkflow", NULL, "",
    (const weir__field_entry[]){
        FIELD("apiVersion", TEXT, WORKS, "`argoproj.io/v1alpha1`"),
        FIELD("kind", TEXT, WORKS, "`argoproj.io/v1alpha1`"),
        OF("metadata", OBJECT, WORKS, object_meta, ""), OF("spec", OBJECT, WORKS, cron_spec, ""),
        FIELD("status", FREE, DIFFERS, "ignored: a file always starts a new run"), END}};

const weir__field_of *weir__fields_of_kind(weir_str kind) {
    static const struct {
        const char *kind;
        const weir__field_of *of;
    } kinds[] = {{"Workflow", &workflow},
                 {"WorkflowTemplate", &workflow_template},
                 {"ClusterWorkflowTemplate", &workflow_template},
                 {"CronWorkflow", &cron}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (weir_str_is(kind, kinds[i].kind)) return kinds[i].of;
    return NULL;
}

/* Those that docs/compatibility.md lists, in its order. */

const weir__field_of *const weir__field_parts[] = {

    &workflow,   &object_meta, &spec,     &workflow_metadata,
    &template,   &inputs,      &outputs,  &container,
    &script,     &env,         &step,     &dag,
    &task,       &arguments,   &hook,     &parameter,
    &value_from, &artifact,    &retry,    &synchronization,
    &memoize,    &metrics,     &suspend,  &container_set,
    &data,       &http,        &resource, NULL};
