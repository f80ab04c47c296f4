"""A graph: B and C begin when A is done, D when both are."""

import weir.couler as couler


def job(name):
    couler.run_container(image="alpine:3.20", command=["echo"], args=[name], step_name=name)


def diamond():
    couler.dag(
        [
            [lambda: job(name="A")],
            [lambda: job(name="A"), lambda: job(name="B")],
            [lambda: job(name="A"), lambda: job(name="C")],
            [lambda: job(name="B"), lambda: job(name="D")],
            [lambda: job(name="C"), lambda: job(name="D")],
        ]
    )


diamond()
couler.run()
