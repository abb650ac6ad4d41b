"""Arrays of other libraries stay on their device; where they cannot, the product comes back to it."""

import numpy as np
import pytest

import anyk
from anyk.codes import CATALOGUE
from anyk.errors import InputError
from tests.verbs.toys import relative

torch = pytest.importorskip("torch")

CODE = anyk.codes.matdot(3, workers=7)
EXACT = [code for family in CATALOGUE.values() if (code := family.function(**family.example)).is_exact]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return request.param


def tensors(device, dtype=torch.float64, shapes=((41, 30), (30, 23))):
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator, dtype=dtype).to(device) for shape in shapes)


def error(value, A, B):
    true = A.cpu().to(torch.complex128) @ B.cpu().to(torch.complex128)
    return relative(value.cpu().numpy(), true.numpy())


@pytest.mark.parametrize("engine", ["inline:7", "futures:7"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_products_keep_device_and_dtype(device, dtype, engine):
    A, B = tensors(device, dtype)
    product = anyk.matmul(A, B, CODE, engine=engine)

    assert isinstance(product.value, torch.Tensor)
    assert (product.value.device, product.value.dtype) == (A.device, dtype)
    limit = 1e-4 if dtype in (torch.float32, torch.complex64) else 1e-12
    assert error(product.value, A, B) < limit
    assert product.error_kind == "measured"
    assert product.error < limit
    assert product.survivors == tuple(sorted(product.survivors))


@pytest.mark.parametrize("code", EXACT, ids=lambda code: code.name)
def test_every_exact_code_multiplies_tensors(device, code):
    A, B = tensors(device)

    assert error(anyk.matmul(A, B, code, engine="inline").value, A, B) < 1e-9


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(device, half):
    A, B = (each.to(half) for each in tensors(device))
    product = anyk.matmul(A, B, CODE, engine="inline")

    assert product.value.dtype == torch.float32
    assert error(product.value, A, B) < 1e-4


def test_vectors_and_tensors_with_gradients_are_taken(device):
    A, B = tensors(device)
    A.requires_grad_()
    product = anyk.matmul(A, B[:, 0], CODE, engine="inline")

    assert tuple(product.value.shape) == (41,)
    assert not product.value.requires_grad
    assert error(product.value, A.detach(), B[:, 0]) < 1e-12


def test_nothing_leaves_the_device(device, monkeypatch):
    A, B = tensors(device)
    from anyk.verbs.library import Library

    def refused(self, array):
        raise AssertionError("it came to the host")

    monkeypatch.setattr(Library, "to_host", refused)

    assert error(anyk.matmul(A, B, CODE, engine="inline").value, A, B) < 1e-12


def test_wrong_answers_are_thrown_out(device, monkeypatch):
    A, B = tensors(device)
    from anyk.verbs import devices

    asked = []

    def spoilt(a, b):
        asked.append(1)
        return a @ b + (1e-3 if len(asked) == 2 else 0.0)

    monkeypatch.setattr(devices, "multiply_there", spoilt)
    product = anyk.matmul(A, B, CODE, engine="inline", wrong=1, stop=anyk.everyone)

    assert product.wrong == (1,)
    assert error(product.value, A, B) < 1e-12


def test_integers_are_exact(device):
    A = torch.arange(12, device=device).reshape(3, 4)
    product = anyk.matmul(A, A.T, CODE, engine="inline")

    assert product.value.dtype == torch.int64
    assert product.value.tolist() == (A.cpu() @ A.cpu().T).tolist()


def test_matrices_without_entries_give_one_without_work(device):
    product = anyk.matmul(torch.zeros(3, 0, device=device), torch.zeros(0, 2, device=device), CODE, engine="inline")

    assert isinstance(product.value, torch.Tensor)
    assert product.value.tolist() == [[0, 0]] * 3


@pytest.mark.cluster
def test_worker_processes_get_copies_and_the_product_is_on_the_device(device):
    A, B = tensors(device)
    product = anyk.matmul(A, B, anyk.codes.matdot(2, 3), engine="processes:2")

    assert isinstance(product.value, torch.Tensor)
    assert product.value.device == A.device
    assert error(product.value, A, B) < 1e-12


def test_streams_and_placed_matrices_take_tensors():
    A, B = tensors("cpu")
    *_, last = anyk.stream(A, B, CODE, engine="inline")
    with anyk.place(A, CODE, engine="inline") as coded:
        placed = coded @ B

    assert relative(last.value, (A @ B).numpy()) < 1e-12
    assert relative(placed, (A @ B).numpy()) < 1e-12


def test_two_libraries_in_one_product_are_refused():
    A, B = tensors("cpu")
    with pytest.raises(InputError, match="A is Tensor on cpu and B is ndarray"):
        anyk.matmul(A, B.numpy(), CODE, engine="inline")
    with pytest.raises(InputError, match="use screen='checked'"):
        anyk.matmul(A, B, CODE, engine="inline", screen="syndrome", wrong=1)
    with pytest.raises(InputError, match="must be finite, and A"):
        anyk.matmul(A * float("nan"), B, CODE, engine="inline")


@pytest.mark.gpu
def test_cupy_arrays_stay_on_their_device():
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.runtime.getDeviceCount():
        pytest.skip("no CUDA device")
    A, B = (cupy.asarray(each.numpy()) for each in tensors("cpu"))
    product = anyk.matmul(A, B, CODE, engine="inline")

    assert isinstance(product.value, cupy.ndarray)
    assert relative(cupy.asnumpy(product.value), cupy.asnumpy(A) @ cupy.asnumpy(B)) < 1e-12


def test_any_array_of_the_standard_is_taken(monkeypatch):
    """A stand-in for CuPy: NumPy's own arrays in another class."""

    class Elsewhere(np.ndarray):
        pass

    A, B = (each.numpy().view(Elsewhere) for each in tensors("cpu"))
    from anyk.verbs import library

    monkeypatch.setattr(library, "is_foreign", lambda given: isinstance(given, Elsewhere))
    product = anyk.matmul(A, B, CODE, engine="inline")

    assert relative(np.asarray(product.value), np.asarray(A) @ np.asarray(B)) < 1e-12


def test_dask_arrays_are_computed_for_other_engines():
    array = pytest.importorskip("dask.array")
    A, B = (each.numpy() for each in tensors("cpu"))
    product = anyk.matmul(array.from_array(A, chunks=10), B, CODE, engine="inline")
    with anyk.place(array.from_array(A, chunks=10), CODE, engine="inline") as coded:
        placed = coded @ B

    assert relative(product.value, A @ B) < 1e-12
    assert relative(placed, A @ B) < 1e-12
