"""What the programs look at in a workflow that is over."""


def nodes(workflow):
    """By display name, each with its phase."""
    return {node.display_name: node.phase for node in workflow.status.nodes.values()}


def parameters(workflow, name):
    """What the node of that display name gave, by the parameters' names."""
    node = next(node for node in workflow.status.nodes.values() if node.display_name == name)
    return {parameter.name: parameter.value for parameter in node.outputs.parameters}


def results(workflow, name=None):
    """What scripts printed, of nodes whose template or display name is that, sorted."""
    found = [
        node.outputs.result
        for node in workflow.status.nodes.values()
        if node.outputs and node.outputs.result is not None and name in (None, node.display_name, node.template_name)
    ]
    return sorted(found)


def succeeded(workflow):
    assert workflow.status.phase == "Succeeded", (workflow.status.phase, workflow.status.message)
    return workflow
