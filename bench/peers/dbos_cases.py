"""What DBOS takes: workflows of three durable steps, one after another and eight at once. Run by bench/store.py.

usage: dbos_cases.py URL COUNT      prints {"dbos": workflows a second, "dbos8": the same}"""

import json
import logging
import sys
import time

from dbos import DBOS

STEPS, AT_ONCE = 3, 8
DBOS(config={"name": "bench", "system_database_url": sys.argv[1], "run_admin_server": False, "log_level": "ERROR"})


@DBOS.step()
def step(left):
    return left - 1


@DBOS.workflow()
def workflow(left):
    for _ in range(STEPS):
        left = step(left)
    return left


def rate(count, at_once):
    begun, handles = time.monotonic(), []
    for i in range(count):
        if at_once == 1:
            workflow(STEPS)
            continue
        if i >= at_once:
            handles[i - at_once].get_result()
        handles.append(DBOS.start_workflow(workflow, STEPS))
    for handle in handles:
        handle.get_result()
    return count / (time.monotonic() - begun)


def main():
    logging.disable(logging.WARNING)
    count = int(sys.argv[2])
    DBOS.launch()
    rate(10, 1)
    print(json.dumps({"dbos": rate(count, 1), "dbos8": rate(count, AT_ONCE)}))
    DBOS.destroy()


if __name__ == "__main__":
    main()
