"""A volume that two steps share, and an empty one of a single step."""

from hera.workflows import EmptyDirVolume, Steps, Volume, Workflow, models as m, script
from looking import succeeded


@script(volumes=[Volume(name="shared", size="1Gi", mount_path="/mnt/shared")])
def write():
    with open("/mnt/shared/note", "w") as note:
        note.write("kept")


@script(volume_mounts=[m.VolumeMount(name="shared", mount_path="/mnt/shared")], volumes=[EmptyDirVolume(name="empty", mount_path="/mnt/empty")])
def read():
    import os

    assert os.listdir("/mnt/empty") == []
    with open("/mnt/shared/note") as note:
        assert note.read() == "kept"


with Workflow(generate_name="volumes-", entrypoint="main") as w:
    with Steps(name="main"):
        write()
        read()
succeeded(w.create(wait=True))
