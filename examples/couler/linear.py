"""Tasks one after the other."""

import weir.couler as couler


def job(name):
    couler.run_container(image="alpine:3.20", command=["echo"], args=[name], step_name=name)


def linear():
    couler.set_dependencies(lambda: job(name="A"), dependencies=None)
    couler.set_dependencies(lambda: job(name="B"), dependencies=["A"])
    couler.set_dependencies(lambda: job(name="C"), dependencies=["B"])


linear()
couler.run()
