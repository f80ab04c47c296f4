"""Operations that other executors run: a real Dask scheduler with two workers, and Ray."""

import pytest

import weir


@weir.operation
def square(number: int) -> int:
    return number * number


@weir.operation
def divide(number: int) -> float:
    return 1 / number


def flow_of(operation):
    flow = weir.dataflow()
    return flow.result(result=operation(flow.input("number")))


CONTEXTS = {str(number): {"number": number} for number in range(1, 21)}
RESULTS = {str(number): {"result": number * number} for number in range(1, 21)}


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            client.wait_for_workers(2)
            yield client


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_dask_runs_operations(client):
    assert weir.run_blocking(flow_of(square), contexts=CONTEXTS, executor=client) == RESULTS


def test_each_context_is_one_of_its_own_in_dask(client):
    @weir.operation
    def where(number: int) -> str:
        import distributed

        return distributed.get_worker().address

    contexts = {str(number): {"number": 1} for number in range(40)}
    results = weir.run_blocking(flow_of(where), contexts=contexts, executor=client)
    assert len({result["result"] for result in results.values()}) == 2


def test_an_exception_in_dask_is_the_cause(client):
    with pytest.raises(weir.OperationFailed) as raised:
        weir.run_blocking(flow_of(divide), {"number": 0}, executor=client)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_ray_runs_operations(ray):
    assert weir.run_blocking(flow_of(square), contexts=CONTEXTS, executor=ray) == RESULTS


def test_an_exception_in_ray_is_the_cause(ray):
    with pytest.raises(weir.OperationFailed) as raised:
        weir.run_blocking(flow_of(divide), {"number": 0}, executor=ray)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
