#include "engine/formats/hdf5_weights.h"

#include "engine/core/checked.h"

#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <set>

namespace moe {

namespace {

// Debian's libhdf5 keeps its state in globals without a lock of its own.
std::mutex& library_lock() {
    static std::mutex lock;
    return lock;
}

// An identifier of libhdf5, closed by the function that fits it.
class Handle {
public:
    using Close = herr_t (*)(hid_t);
    Handle(hid_t id, Close close) : id_(id), close_(close) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        if (id_ >= 0) close_(id_);
    }

    hid_t id() const { return id_; }
    bool valid() const { return id_ >= 0; }

private:
    hid_t id_;
    Close close_;
};

void silence() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

[[noreturn]] void cannot_make(const std::string& what) {
    throw Error("The weights cannot be packed in memory (" + what + "); close some programs and save again.");
}

void check(bool fine, const std::string& what) {
    if (!fine) cannot_make(what);
}

// The folder of "a/b/c" is "a/b".
std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

void make_group(hid_t file, const std::string& path, std::set<std::string>& made) {
    if (path.empty() || !made.insert(path).second) return;
    make_group(file, parent_of(path), made);
    const Handle properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    check(properties.valid() && H5Pset_obj_track_times(properties.id(), false) >= 0, path);
    const Handle group(H5Gcreate2(file, path.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT), H5Gclose);
    check(group.valid(), path);
}

void write_item(hid_t file, const Hdf5Item& item) {
    const std::vector<hsize_t> sizes(item.shape.begin(), item.shape.end());
    const Handle space(
        sizes.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(int(sizes.size()), sizes.data(), nullptr), H5Sclose);
    const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    check(space.valid() && properties.valid() && H5Pset_obj_track_times(properties.id(), false) >= 0, item.path);
    const bool wide = item.integer && (*item.integer > INT32_MAX || *item.integer < INT32_MIN);
    const hid_t type = !item.integer ? H5T_IEEE_F32LE : wide ? H5T_STD_I64LE : H5T_STD_I32LE;
    const Handle dataset(
        H5Dcreate2(file, item.path.c_str(), type, space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT), H5Dclose);
    check(dataset.valid(), item.path);
    if (!item.integer) {
        std::size_t count = 1;
        for (const std::size_t size : item.shape) count = checked_product("The weights", {count, size});
        check(count == item.values.size(), item.path + " has the wrong number of values");
    }
    const std::int64_t integer = item.integer.value_or(0);
    const void* values = item.integer ? static_cast<const void*>(&integer) : item.values.data();
    const hid_t memory_type = item.integer ? H5T_NATIVE_INT64 : H5T_NATIVE_FLOAT;
    check(H5Dwrite(dataset.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, item.path);
}

}  // namespace

std::string write_hdf5(const std::vector<std::string>& groups, const std::vector<Hdf5Item>& items) {
    const std::scoped_lock lock(library_lock());
    silence();
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    check(access.valid() && H5Pset_fapl_core(access.id(), 1 << 20, false) >= 0, "no driver");
    const Handle file(H5Fcreate("weights", H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose);
    check(file.valid(), "no file");
    std::set<std::string> made;
    for (const std::string& group : groups) make_group(file.id(), group, made);
    for (const Hdf5Item& item : items) {
        make_group(file.id(), parent_of(item.path), made);
        write_item(file.id(), item);
    }
    check(H5Fflush(file.id(), H5F_SCOPE_GLOBAL) >= 0, "no flush");
    const ssize_t size = H5Fget_file_image(file.id(), nullptr, 0);
    check(size > 0, "no image");
    std::string image(std::size_t(size), '\0');
    check(H5Fget_file_image(file.id(), image.data(), image.size()) == size, "no image");
    return image;
}

}  // namespace moe
