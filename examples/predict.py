#!/usr/bin/env python3
"""The cells of images through soma's C interface, with nothing but Python's own library.

Usage: predict.py LIBRARY MODEL IMAGE...   LIBRARY is libsoma_c.so. With numpy, Soma.labels() gives
label images to napari, scikit-image and others (docs/library.md).
"""
import ctypes
import sys


class Cell(ctypes.Structure):
    _fields_ = [("box", ctypes.c_float * 4), ("score", ctypes.c_float),
                ("class_index", ctypes.c_int32), ("area", ctypes.c_int64)]


class Pixels(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("height", ctypes.c_int64), ("width", ctypes.c_int64),
                ("row_bytes", ctypes.c_int64), ("channels", ctypes.c_int32),
                ("bits", ctypes.c_int32)]


class Soma:
    """A model. Errors are RuntimeErrors with soma's own message."""

    def __init__(self, library, model, device="auto", **settings):
        """settings: configuration keys with "__" for the dot, e.g. test__score=0.3."""
        self.c = ctypes.CDLL(str(library))
        pointer, text, count = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
        for name, result, arguments in [
                ("last_error", text, []),
                ("load", pointer, [text, text, ctypes.POINTER(text)]),
                ("free_model", None, [pointer]),
                ("class_name", text, [pointer, ctypes.c_int]),
                ("predict_file", pointer, [pointer, text]),
                ("predict_pixels", pointer, [pointer, ctypes.POINTER(Pixels)]),
                ("free_result", None, [pointer]),
                ("cell_count", count, [pointer]),
                ("get_cell", ctypes.c_int, [pointer, count, ctypes.POINTER(Cell)]),
                ("get_labels", ctypes.c_int, [pointer, pointer])]:
            function = getattr(self.c, "soma_" + name)
            function.restype, function.argtypes = result, arguments
        words = [f"{key.replace('__', '.')}={value}".encode() for key, value in settings.items()]
        self.model = self.checked(self.c.soma_load(
            str(model).encode(), device.encode(), (text * (len(words) + 1))(*words, None)))

    def __del__(self):
        if getattr(self, "model", None):
            self.c.soma_free_model(self.model)

    def checked(self, result):
        if result is None:
            raise RuntimeError(self.c.soma_last_error().decode())
        return result

    def cells(self, path):
        """(class, score, area, box) of every cell of an image file, best first."""
        result = self.checked(self.c.soma_predict_file(self.model, str(path).encode()))
        cell, found = Cell(), []
        for index in range(self.c.soma_cell_count(result)):
            self.c.soma_get_cell(result, index, cell)
            name = self.c.soma_class_name(self.model, cell.class_index).decode()
            found.append((name, cell.score, cell.area, tuple(cell.box)))
        self.c.soma_free_result(result)
        return found

    def labels(self, image):
        """The label image of a numpy array, gray [H, W] or RGB [H, W, 3], of 8 or 16 bits."""
        import numpy
        image = numpy.ascontiguousarray(image)
        labels = numpy.zeros(image.shape[:2], numpy.uint32)
        pixels = Pixels(image.ctypes.data, *image.shape[:2], image.strides[0],
                        image.shape[2] if image.ndim == 3 else 1, 8 * image.itemsize)
        result = self.checked(self.c.soma_predict_pixels(self.model, pixels))
        self.c.soma_get_labels(result, labels.ctypes.data)
        self.c.soma_free_result(result)
        return labels


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    soma = Soma(sys.argv[1], sys.argv[2])
    for path in sys.argv[3:]:
        cells = soma.cells(path)
        print(f"{path}: {len(cells)} cells")
        for name, score, area, _ in cells[:3]:
            print(f"  {name}, score {score:.2f}, {area} pixels")


if __name__ == "__main__":
    main()
