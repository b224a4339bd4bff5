"""Writes tests/data/weights/*.h5: weights that must be refused, and two packed forms that must be read.

usage: python make_hostile_weights.py OUT_FOLDER   (pip install h5py)
"""
import os
import sys
import zlib

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
make("rank_four", lambda f: f.create_dataset("a/w", data=values.reshape(1, 1, 2, 3), track_times=False))


def looping(f):
    f.create_dataset("a/w", data=values, track_times=False)
    f["a/back"] = f["/a"]  # a hard link to the group that holds it


def twice(f):
    f.create_dataset("a/w", data=values, track_times=False)
    f["a/v"] = f["a/w"]


make("looping", looping)
make("twice", twice)
make("deep", lambda f: f.create_dataset("/".join(["g"] * 25), data=values, track_times=False))
make("nested", lambda f: f.create_dataset("/".join(["g"] * 24), data=values, track_times=False))  # may be read
make("long_name", lambda f: f.create_dataset("a/" + "w" * 1100, data=values, track_times=False))


def petabytes(f):  # 4 PB: 2^50 numbers of four bytes
    f.create_dataset("a/w", (1 << 20, 1 << 20, 1 << 10), "<f4", track_times=False)


def packed_bomb(f):  # 64 MiB of zeros as one chunk of 65 KB
    f.create_dataset("a/w", data=np.zeros((1 << 10, 1 << 14), "<f4"), chunks=(1 << 10, 1 << 14), compression="gzip",
                     compression_opts=9, track_times=False)


def lying_chunk(f):  # says 24 bytes, unpacks to 128 MiB
    d = f.create_dataset("a/w", (2, 3), "<f4", chunks=(2, 3), compression="gzip", track_times=False)
    d.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 27), 9))


def many_large(f):  # five arrays of 8 MiB that are packed: each alone could be
    for i in range(5):
        f.create_dataset("a/w%d" % i, data=np.zeros((1 << 10, 1 << 11), "<f4"), compression="gzip",
                         compression_opts=9, track_times=False)


make("petabytes", petabytes)
make("packed_bomb", packed_bomb)
make("lying_chunk", lying_chunk)
make("many_large", many_large)
