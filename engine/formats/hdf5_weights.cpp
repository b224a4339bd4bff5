#include "engine/formats/hdf5_weights.h"

#include "engine/core/checked.h"
#include "engine/formats/hdf5_texts.h"

#include <hdf5.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

namespace moe {

namespace {

// Debian's libhdf5 keeps its state in globals without a lock of its own. One thread may hold several readers.
std::recursive_mutex& library_lock() {
    static std::recursive_mutex lock;
    return lock;
}

// An identifier of libhdf5, closed by the function that fits it.
class Handle {
public:
    using Close = herr_t (*)(hid_t);
    Handle(hid_t id, Close close) : id_(id), close_(close) {}
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Handle& operator=(Handle&&) = delete;
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

std::string shape_text(const std::vector<std::size_t>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

[[noreturn]] void cannot_write(const std::string& what) {
    throw Error("The weights cannot be packed in memory (" + what + "); close some programs and save again.");
}

void check(bool fine, const std::string& what) {
    if (!fine) cannot_write(what);
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

namespace {

// Without these libhdf5 copies a file image twice: "allocating" and "copying" hand it the caller's own bytes instead,
// which a file opened for reading alone never changes.
void* own_bytes(std::size_t, H5FD_file_image_op_t, void* image) {
    return image;
}
void* no_copy(void* to, const void*, std::size_t, H5FD_file_image_op_t, void*) {
    return to;
}
void* no_growth(void*, std::size_t, H5FD_file_image_op_t, void*) {
    return nullptr;
}
herr_t no_free(void*, H5FD_file_image_op_t, void*) {
    return 0;
}
void* same_image(void* image) {
    return image;
}
herr_t keep_image(void*) {
    return 0;
}

// Nothing where there are more than three, or none can be said.
std::optional<std::vector<std::size_t>> sizes_of(hid_t space) {
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > 3) return {};
    std::vector<hsize_t> sizes(std::size_t(rank), 0);
    if (rank > 0 && H5Sget_simple_extent_dims(space, sizes.data(), nullptr) < 0) return {};
    return std::vector<std::size_t>(sizes.begin(), sizes.end());
}

bool set_image(hid_t access, std::string_view image) {
    void* bytes = const_cast<char*>(image.data());
    H5FD_file_image_callbacks_t callbacks{own_bytes, no_copy, no_growth, no_free, same_image, keep_image, bytes};
    return H5Pset_file_image_callbacks(access, &callbacks) >= 0 && H5Pset_file_image(access, bytes, image.size()) >= 0;
}

}  // namespace

struct Hdf5Reader::File {
    std::unique_lock<std::recursive_mutex> lock;
    Handle file;

    // Any failure of libhdf5 below, said as one sentence.
    Handle open_dataset(const std::string& path, const std::string& name, const std::string& owner) const {
        Handle dataset(H5Dopen2(file.id(), path.c_str(), H5P_DEFAULT), H5Dclose);
        if (!dataset.valid()) throw Error("'" + name + "': the weights of " + owner + " (" + path + ") are damaged.");
        return dataset;
    }
};

Hdf5Reader::Hdf5Reader(std::string_view image, std::string name) : name_(std::move(name)), image_(image) {
    std::unique_lock lock(library_lock());
    silence();
    constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
    const auto refuse = [&](const char* what) {
        throw Error("'" + name_ + "': its weights " + what + "; copy it again from where it came.");
    };
    if (!image.starts_with(signature)) refuse("are no HDF5 file");
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    if (!access.valid() || H5Pset_fapl_core(access.id(), 1 << 20, false) < 0 || !set_image(access.id(), image))
        refuse("cannot be held in memory");
    Handle file(H5Fopen("weights", H5F_ACC_RDONLY, access.id()), H5Fclose);
    if (!file.valid()) refuse("are damaged or cut off");
    file_ = std::make_unique<File>(File{std::move(lock), std::move(file)});
}

Hdf5Reader::~Hdf5Reader() = default;

bool Hdf5Reader::exists(const std::string& path) const {
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (H5Lexists(file_->file.id(), part.c_str(), H5P_DEFAULT) <= 0) return false;
        H5L_info_t info;
        if (H5Lget_info(file_->file.id(), part.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
            throw Error("'" + name_ + "' has a link in place of weights (" + part + "); it is not safe to open.");
        if (end == std::string::npos) return true;
    }
}

std::size_t Hdf5Reader::links(const std::string& path) const {
    H5G_info_t info;
    if (!exists(path) || H5Gget_info_by_name(file_->file.id(), path.c_str(), &info, H5P_DEFAULT) < 0)
        throw Error("'" + name_ + "': its weights have no group " + path + "; save the model again.");
    return std::size_t(info.nlinks);
}

std::vector<std::size_t> Hdf5Reader::shape(const std::string& path, const std::string& owner) const {
    const auto refuse = [&](const char* what) {
        throw Error("'" + name_ + "': the weights of " + owner + " (" + path + ") " + what + ".");
    };
    if (!exists(path)) refuse("are missing; copy the file again, or save the model again");
    const Handle dataset = file_->open_dataset(path, name_, owner);
    const Handle space(H5Dget_space(dataset.id()), H5Sclose);
    if (!space.valid()) refuse("are damaged");
    std::optional<std::vector<std::size_t>> sizes = sizes_of(space.id());
    if (!sizes) refuse("are of a rank that no layer here has");
    return *std::move(sizes);
}

std::vector<float> Hdf5Reader::floats(const std::string& path, const std::vector<std::size_t>& shape,
                                      const std::string& owner) const {
    const auto refuse = [&](const std::string& what) {
        throw Error("'" + name_ + "': the weights of " + owner + " (" + path + ") " + what + ".");
    };
    if (!exists(path)) refuse("are missing; copy the file again, or save the model again");
    const Handle dataset = file_->open_dataset(path, name_, owner);
    const Handle space(H5Dget_space(dataset.id()), H5Sclose);
    const Handle type(H5Dget_type(dataset.id()), H5Tclose);
    const Handle properties(H5Dget_create_plist(dataset.id()), H5Pclose);
    if (!space.valid() || !type.valid() || !properties.valid()) refuse("are damaged");

    const std::optional<std::vector<std::size_t>> sizes = sizes_of(space.id());
    if (!sizes) refuse("are of a rank that no layer here has");
    const std::vector<std::size_t>& found = *sizes;
    if (H5Sget_simple_extent_type(space.id()) == H5S_NULL || found != shape)
        refuse("are of the shape " + shape_text(found) + ", but the model needs " + shape_text(shape));

    const bool single = H5Tequal(type.id(), H5T_IEEE_F32LE) > 0;
    if (!single && H5Tequal(type.id(), H5T_IEEE_F64LE) <= 0)
        refuse("are not float32 or float64 numbers; save the model with dtype float32");
    if (H5Pget_external_count(properties.id()) != 0) refuse("lie in another file; it is not safe to open");
    const H5D_layout_t layout = H5Pget_layout(properties.id());
    if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED)
        refuse("lie in another place than the file; it is not safe to open");

    std::size_t count = 1;
    for (const std::size_t size : shape) count = checked_product("The weights", {count, size});
    const std::size_t bytes = checked_product("The weights", {count, single ? sizeof(float) : sizeof(double)});
    const int filters = H5Pget_nfilters(properties.id());
    if (filters < 0) refuse("are damaged");
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0, config = 0;
        std::size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(properties.id(), unsigned(i), &flags, &values, nullptr, 0, nullptr, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE)
            refuse("are packed in a way that is not read here; only gzip and shuffle are");
    }
    // Unpacked weights lie in the file as they are; packed ones can grow, but not beyond all measure.
    const std::size_t limit =
        filters ? checked_sum("The weights", {checked_product("The weights", {8, image_.size()}), 64u << 20})
                : image_.size();
    std::size_t chunk_bytes = bytes;
    if (layout == H5D_CHUNKED) {
        std::vector<hsize_t> chunk(std::max<std::size_t>(1, shape.size()), 1);
        if (H5Pget_chunk(properties.id(), int(chunk.size()), chunk.data()) < 0) refuse("are damaged");
        chunk_bytes = single ? sizeof(float) : sizeof(double);
        for (const hsize_t size : chunk) chunk_bytes = checked_product("The weights", {chunk_bytes, std::size_t(size)});
    }
    if (bytes > limit || chunk_bytes > limit || (!filters && H5Dget_storage_size(dataset.id()) < bytes) ||
        H5Dget_storage_size(dataset.id()) > image_.size())
        refuse("say that they take " + format_bytes(std::max(bytes, chunk_bytes)) + ", which the file cannot hold");

    std::vector<float> values(count);
    if (H5Dread(dataset.id(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
        refuse("are damaged");
    return values;
}

std::int64_t Hdf5Reader::integer(const std::string& path, const std::string& owner) const {
    const auto refuse = [&](const std::string& what) {
        throw Error("'" + name_ + "': " + owner + " (" + path + ") " + what + ".");
    };
    if (!exists(path)) refuse("is missing");
    const Handle dataset = file_->open_dataset(path, name_, owner);
    const Handle space(H5Dget_space(dataset.id()), H5Sclose);
    const Handle type(H5Dget_type(dataset.id()), H5Tclose);
    const Handle properties(H5Dget_create_plist(dataset.id()), H5Pclose);
    if (!space.valid() || !type.valid() || !properties.valid() || H5Sget_simple_extent_npoints(space.id()) != 1 ||
        H5Tget_class(type.id()) != H5T_INTEGER || H5Tget_size(type.id()) > 8 ||
        H5Pget_external_count(properties.id()) != 0 || H5Pget_nfilters(properties.id()) != 0 ||
        (H5Pget_layout(properties.id()) != H5D_CONTIGUOUS && H5Pget_layout(properties.id()) != H5D_COMPACT))
        refuse("is not one whole number");
    std::int64_t value = 0;
    if (H5Dread(dataset.id(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) < 0) refuse("is damaged");
    return value;
}

namespace {

constexpr std::size_t most_texts = 65536;

}  // namespace

std::optional<std::vector<std::string>> Hdf5Reader::read_texts(const std::string& path,
                                                               const std::string& attribute) const {
    if (!path.empty() && !exists(path)) return {};
    H5G_stat_t object;
    const std::string where = "'" + name_ + "': its attribute " + attribute + (path.empty() ? "" : " of " + path);
    if (H5Gget_objinfo(file_->file.id(), path.empty() ? "/" : path.c_str(), false, &object) < 0)
        throw Error(where + " is damaged; copy the file again, or save the model again.");
    return read_hdf5_texts(image_, object.objno[0], attribute, where);
}

std::optional<std::string> Hdf5Reader::text(const std::string& path, const std::string& attribute) const {
    const std::optional<std::vector<std::string>> found = read_texts(path, attribute);
    if (!found || found->size() != 1) return {};
    return found->front();
}

std::vector<std::string> Hdf5Reader::texts(const std::string& path, const std::string& attribute) const {
    if (std::optional<std::vector<std::string>> whole = read_texts(path, attribute)) return *std::move(whole);
    std::vector<std::string> all;
    for (std::size_t piece = 0; piece < 1000; ++piece) {
        const std::optional<std::vector<std::string>> part = read_texts(path, attribute + std::to_string(piece));
        if (!part || all.size() + part->size() > most_texts) break;
        all.insert(all.end(), part->begin(), part->end());
    }
    return all;
}

}  // namespace moe
