"""A coin is flipped; what is said depends on how it fell."""

import weir.couler as couler


def random_code():
    import random

    print(random.choice(["heads", "tails"]))


def flip_coin():
    return couler.run_script(image="python:3.12", source=random_code)


def heads():
    return couler.run_container(image="alpine:3.20", command=["sh", "-c", 'echo "it was heads"'])


def tails():
    return couler.run_container(image="alpine:3.20", command=["sh", "-c", 'echo "it was tails"'])


result = flip_coin()
couler.when(couler.equal(result, "heads"), lambda: heads())
couler.when(couler.equal(result, "tails"), lambda: tails())
couler.run(submitter=couler.ArgoSubmitter())
