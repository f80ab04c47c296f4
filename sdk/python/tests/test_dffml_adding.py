"""Inputs that operations of `weir.dffml` add to their context while it runs."""

import asyncio

import pytest

from weir.dffml import DataFlow, Definition, GetMulti, Input, OperationException, op, run


class TestInputsThatOperationsAdd:
    """`octx.ictx` of a processing operation: to its own context, while that runs."""

    LINE, WORD, LENGTH = (Definition(name=name, primitive="any") for name in ("line", "word", "length"))

    def run(self, *operations):
        flow = DataFlow.auto(*operations, GetMulti)
        flow.seed.append(Input(["length"], GetMulti.op.inputs["spec"]))
        contexts = {line: [Input(line, self.LINE)] for line in ("a bb ccc", "dddd")}

        async def collect():
            return {str(context): sorted(results["length"]) async for context, results in run(flow, contexts)}

        return asyncio.run(collect())

    def test_to_their_own_context(self):
        @op(inputs={"line": self.LINE})
        async def split(self, line):
            for word in line.split():
                await self.octx.ictx.cadd(self.ctx, Input([word], TestInputsThatOperationsAdd.WORD))
                await asyncio.sleep(0)

        @op(inputs={"word": self.WORD}, outputs={"length": self.LENGTH})
        def length(word):
            return {"length": len(word[0])}

        assert self.run(split, length) == {"a bb ccc": [1, 2, 3], "dddd": [4]}

    def test_beside_what_they_give(self):
        @op(inputs={"line": self.LINE}, outputs={"length": self.LENGTH})
        async def more(self, line):
            name = (await self.ctx.handle()).as_string()
            other = Input(1000, TestInputsThatOperationsAdd.LENGTH, origin=(self.parent.op.instance_name, "length"))
            await self.octx.ictx.sadd(name, Input(line, TestInputsThatOperationsAdd.WORD), other)
            return {"length": 2000}

        @op(inputs={"word": self.WORD}, outputs={"length": self.LENGTH}, conditions=[self.LENGTH])
        def length(word):
            return {"length": len(word)}

        assert self.run(more, length) == {"a bb ccc": [8, 1000, 2000], "dddd": [4, 1000, 2000]}

    def test_of_an_origin_that_nobody_takes(self):
        @op(inputs={"line": self.LINE}, outputs={"length": self.LENGTH})
        async def wrong(self, line):
            await self.octx.ictx.cadd(self.ctx, Input(1, TestInputsThatOperationsAdd.WORD, origin="nowhere"))

        with pytest.raises(OperationException) as raised:
            self.run(wrong)
        assert "nothing of the dataflow takes 'word' with the origin 'nowhere'" in str(raised.value.__cause__)
