"""Writes tests/data/weights/*.h5: weights that must be refused, and two packed forms that must be read.

usage: python make_hostile_weights.py OUT_FOLDER   (pip install h5py)
"""
import os
import sys

import h5py
import numpy as np

out = sys.argv[1]
values = np.arange(6, dtype="<f4").reshape(2, 3) / 4


def make(name, fill):
    path = os.path.join(out, name + ".h5")
    with h5py.File(path, "w", track_order=False) as file:
        fill(file)
    return path


make("plain", lambda f: f.create_dataset("a/w", data=values, track_times=False))
make("double", lambda f: f.create_dataset("a/w", data=values.astype("<f8"), track_times=False))
make("gzip", lambda f: f.create_dataset("a/w", data=values, compression="gzip", shuffle=True, track_times=False))
make("lzf", lambda f: f.create_dataset("a/w", data=values, compression="lzf", track_times=False))
make("fletcher", lambda f: f.create_dataset("a/w", data=values, fletcher32=True, track_times=False))
make("half", lambda f: f.create_dataset("a/w", data=values.astype("<f2"), track_times=False))
make("big_endian", lambda f: f.create_dataset("a/w", data=values.astype(">f4"), track_times=False))
make("integers", lambda f: f.create_dataset("a/w", data=values.astype("<i4"), track_times=False))
make("strings", lambda f: f.create_dataset("a/w", data=np.array([[b"x"] * 3] * 2, dtype="S1"), track_times=False))
make("other_shape", lambda f: f.create_dataset("a/w", data=values.T, track_times=False))
make("group", lambda f: f.create_group("a/w"))
make("empty", lambda f: f.create_dataset("a/w", data=h5py.Empty("<f4")))


def soft(f):
    f.create_dataset("b", data=values, track_times=False)
    f.create_group("a")["w"] = h5py.SoftLink("/b")


def soft_group(f):
    f.create_dataset("b/w", data=values, track_times=False)
    f["a"] = h5py.SoftLink("/b")


make("soft_link", soft)
make("soft_group", soft_group)
make("external_link", lambda f: f.create_group("a").__setitem__("w", h5py.ExternalLink("plain.h5", "/a/w")))
make("external_storage", lambda f: f.create_dataset("a/w", (2, 3), "<f4", external=[("/etc/hostname", 0, 24)]))


def virtual(f):
    layout = h5py.VirtualLayout((2, 3), "<f4")
    layout[:] = h5py.VirtualSource("plain.h5", "a/w", (2, 3))
    f.create_virtual_dataset("a/w", layout)


make("virtual", virtual)
make("huge_unwritten", lambda f: f.create_dataset("a/w", (1 << 24, 1 << 16), "<f4", track_times=False))
make("huge_chunked", lambda f: f.create_dataset("a/w", (1 << 24, 1 << 16), "<f4", chunks=(64, 64), track_times=False))
make("huge_chunk", lambda f: f.create_dataset("a/w", (2, 3), "<f4", chunks=(1 << 14, 1 << 14), maxshape=(None, None),
                                              compression="gzip", track_times=False))
make("rank_four", lambda f: f.create_dataset("a/w", (1, 1, 2, 3), "<f4", track_times=False))
