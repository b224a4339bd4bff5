"""Writes tests/data/weights/texts.h5 and texts_latest.h5: attributes as h5py writes them.

usage: python make_text_attributes.py TESTS_DATA_WEIGHTS   (pip install h5py)
"""
import os
import sys

import h5py
import numpy as np

for name, version in (("texts", "earliest"), ("texts_latest", "latest")):
    with h5py.File(os.path.join(sys.argv[1], name + ".h5"), "w", libver=version) as f:
        f.attrs["one"] = "größer 🙂"
        f.attrs["empty"] = ""
        f.attrs["bytes"] = b"fixed"
        f.attrs["long"] = "x" * 5000
        if name == "texts_latest":
            continue
        f.attrs["list"] = ["a/kernel", "a/bias", ""]
        f.attrs["fixed"] = np.array([b"a/kernel", b"a/bias"])
        f.attrs["none"] = np.array([])
        f.attrs["null"] = h5py.Empty("f")
        f.attrs["number"] = 4
        f.attrs["numbers"] = [1.5, 2.5]
        f.attrs["square"] = np.array([[b"a", b"b"], [b"c", b"d"]])
        for piece in range(3):
            f.attrs["pieces%d" % piece] = ["p%d" % (2 * piece), "p%d" % (2 * piece + 1)]
        group = f.create_group("group/inner")
        for i in range(40):  # more than one block of the object's header
            group.attrs["attribute%d" % i] = "value %d" % i
