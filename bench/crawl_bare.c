/* What fetching costs with nothing around it: one libcurl multi loop, in plain C, no cookies, nothing parsed or kept.
 *
 * usage: crawl_bare FILE CONNECTIONS
 *
 * Fetches the URLs of the file, one a line, so many at a time at most; prints the wall microseconds from the first request to
 * the last response, the bytes of all bodies, and how many of them were 200. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { URLS_MAX = 1000000 };

static size_t bytes;

static size_t take(char *data, size_t size, size_t count, void *arg) {
    (void)data;
    (void)arg;
    bytes += size * count;
    return size * count;
}

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void begin(CURLM *multi, const char *url) {
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_multi_add_handle(multi, easy);
}

static size_t read_urls(const char *file, char **urls) {
    char line[4096];
    size_t count = 0;
    FILE *stream = fopen(file, "r");
    while (stream && count < URLS_MAX && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && !(urls[count++] = strdup(line))) exit(3);
    }
    if (stream) fclose(stream);
    return count;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    char **urls = calloc(URLS_MAX, sizeof *urls);
    if (!urls) return 3;
    size_t count = read_urls(argv[1], urls), begun = 0, ended = 0, good = 0;
    size_t most = strtoul(argv[2], NULL, 10);
    double start_us = now_us();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)most);
    while (ended < count) {
        int running, left;
        CURLMsg *message;
        while (begun < count && begun - ended < most) begin(multi, urls[begun++]);
        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left))) {
            CURL *easy = message->easy_handle;
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            good += status == 200;
            ended++;
            curl_multi_remove_handle(multi, easy);
            curl_easy_cleanup(easy);
        }
        bool full = begun == count || begun - ended >= most;
        if (full && ended < count) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("%.0f %zu %zu\n", now_us() - start_us, bytes, good);
    curl_multi_cleanup(multi);
    for (size_t i = 0; i < count; i++) free(urls[i]);
    free(urls);
    return 0;
}
