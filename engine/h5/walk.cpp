#include "engine/h5/walk.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace moe {

namespace {

constexpr std::size_t most_rank = 32;  // libhdf5's own

// An identifier of libhdf5, closed by the function that fits it.
class Opened {
public:
    using Close = herr_t (*)(hid_t);
    Opened(hid_t id, Close close) : id_(id), close_(close) {}
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() {
        if (id_ >= 0) close_(id_);
    }
    hid_t id() const { return id_; }
    bool valid() const { return id_ >= 0; }

private:
    hid_t id_;
    Close close_;
};

[[noreturn]] void refuse(H5Rule rule, const std::string& path = "", std::uint64_t bytes = 0) {
    throw Refusal{{rule, path.substr(0, h5_most_path), bytes}};
}

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

bool set_image(hid_t access, std::string_view image) {
    void* bytes = const_cast<char*>(image.data());
    H5FD_file_image_callbacks_t callbacks{own_bytes, no_copy, no_growth, no_free, same_image, keep_image, bytes};
    return H5Pset_file_image_callbacks(access, &callbacks) >= 0 && H5Pset_file_image(access, bytes, image.size()) >= 0;
}

// C calls this: nothing may be thrown through it.
herr_t add_name(hid_t, const char* name, const H5L_info_t*, void* names) noexcept {
    auto& list = *static_cast<std::vector<std::string>*>(names);
    if (list.size() > h5_most_objects) return -1;
    try {
        list.emplace_back(name);
    } catch (const std::bad_alloc&) {
        return -1;
    }
    return 0;
}

// The product of the sizes and the width; all ones where it leaves 64 bits.
std::uint64_t bytes_of(std::span<const hsize_t> sizes, std::size_t width) {
    std::uint64_t bytes = width;
    bool empty = false, large = false;
    for (const hsize_t size : sizes) {
        empty = empty || size == 0;
        large = __builtin_mul_overflow(bytes, std::uint64_t(size), &bytes) || large;
    }
    return empty ? 0 : large ? ~std::uint64_t(0) : bytes;
}

bool known_filters(hid_t properties, int filters) {
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0, config = 0;
        std::size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(properties, unsigned(i), &flags, &values, nullptr, 0, nullptr, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE) return false;
    }
    return true;
}

}  // namespace

H5Image::H5Image(std::string_view image) : image_(image) {
    constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
    access_ = H5Pcreate(H5P_FILE_ACCESS);
    if (image.starts_with(signature) && access_ >= 0 && H5Pset_fapl_core(access_, 1 << 20, false) >= 0 &&
        set_image(access_, image))
        file_ = H5Fopen("/weights", H5F_ACC_RDONLY, access_);
    if (file_ < 0) refuse(H5Rule::damaged_file);
}

H5Image::~H5Image() {
    if (file_ >= 0) H5Fclose(file_);
    if (access_ >= 0) H5Pclose(access_);
}

std::vector<Found> H5Image::walk() {
    H5G_stat_t root;
    if (H5Gget_objinfo(file_, "/", false, &root) < 0 || root.type != H5G_GROUP) refuse(H5Rule::damaged_file);
    addresses_.push_back(root.objno[0]);
    walk_group("", root.objno[0], 0);
    return std::move(found_);
}

void H5Image::walk_group(const std::string& path, std::uint64_t address, std::size_t depth) {
    std::vector<std::string> names;
    {
        const Opened group(H5Gopen2(file_, path.empty() ? "/" : path.c_str(), H5P_DEFAULT), H5Gclose);
        hsize_t place = 0;
        if (!group.valid() || H5Literate(group.id(), H5_INDEX_NAME, H5_ITER_NATIVE, &place, add_name, &names) < 0)
            refuse(names.size() > h5_most_objects ? H5Rule::many : H5Rule::damaged, path);
    }
    H5Object object;
    object.address = address;
    object.links = names.size();
    found_.push_back({path, std::move(object)});
    for (const std::string& name : names) visit(path.empty() ? name : path + '/' + name, depth + 1);
}

void H5Image::visit(const std::string& path, std::size_t depth) {
    if (path.size() > h5_most_path) refuse(H5Rule::long_path, path);
    if (depth > h5_most_depth) refuse(H5Rule::deep, path);
    H5G_stat_t object;
    if (H5Gget_objinfo(file_, path.c_str(), false, &object) < 0) refuse(H5Rule::damaged, path);
    if (object.type == H5G_LINK || object.type == H5G_UDLINK) refuse(H5Rule::link, path);
    const std::uint64_t address = object.objno[0];
    if (address >= image_.size()) refuse(H5Rule::damaged, path);
    // A loop leads back to where the walk has been.
    const auto place = std::ranges::lower_bound(addresses_, address);
    if (place != addresses_.end() && *place == address) refuse(H5Rule::twice, path);
    addresses_.insert(place, address);
    if (addresses_.size() > std::min(h5_most_objects, image_.size() / h5_least_object)) refuse(H5Rule::many, path);
    if (object.type == H5G_GROUP) return walk_group(path, address, depth);
    if (object.type != H5G_DATASET) return;  // a type under a name holds no weights
    H5Object dataset = check_dataset(path);
    dataset.address = address;
    found_.push_back({path, std::move(dataset)});
}

H5Object H5Image::check_dataset(const std::string& path) {
    const Opened dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset.valid()) refuse(H5Rule::damaged, path);
    const Opened space(H5Dget_space(dataset.id()), H5Sclose), type(H5Dget_type(dataset.id()), H5Tclose),
        properties(H5Dget_create_plist(dataset.id()), H5Pclose);
    if (!space.valid() || !type.valid() || !properties.valid()) refuse(H5Rule::damaged, path);

    const H5D_layout_t layout = H5Pget_layout(properties.id());
    if (layout == H5D_VIRTUAL) refuse(H5Rule::virtual_storage, path);
    if (H5Pget_external_count(properties.id()) != 0) refuse(H5Rule::external_storage, path);
    const int filters = H5Pget_nfilters(properties.id()), rank = H5Sget_simple_extent_ndims(space.id());
    if (layout < 0 || filters < 0 || rank < 0 || std::size_t(rank) > most_rank) refuse(H5Rule::damaged, path);
    if (!known_filters(properties.id(), filters)) refuse(H5Rule::filter, path);

    std::array<hsize_t, most_rank> sizes{}, chunk{};
    if (rank > 0 && H5Sget_simple_extent_dims(space.id(), sizes.data(), nullptr) < 0) refuse(H5Rule::damaged, path);
    const bool empty = H5Sget_simple_extent_type(space.id()) == H5S_NULL;
    const std::span<const hsize_t> shape(sizes.data(), std::size_t(rank));
    const std::size_t width = H5Tget_size(type.id());
    const std::uint64_t bytes = empty ? 0 : bytes_of(shape, width), stored = H5Dget_storage_size(dataset.id());
    std::uint64_t largest = std::max(bytes, stored);
    if (layout == H5D_CHUNKED) {
        if (H5Pget_chunk(properties.id(), rank, chunk.data()) < 0) refuse(H5Rule::damaged, path);
        largest = std::max(largest, bytes_of({chunk.data(), std::size_t(rank)}, width));
    }
    // What is not packed lies in the file as it is; no two arrays share their bytes.
    const std::size_t limit = h5_most_bytes(image_.size());
    if (width == 0) refuse(H5Rule::damaged, path);
    if (largest > limit || stored > image_.size() - stored_ ||
        (filters == 0 && (stored < bytes || bytes > image_.size())))
        refuse(H5Rule::too_large, path, largest);
    stored_ += stored;
    if (bytes > limit - unpacked_) refuse(H5Rule::too_large, path, bytes + unpacked_);
    unpacked_ += bytes;

    H5Object object;
    object.kind = H5Record::other;
    object.other = H5Other::type;
    const bool plain = layout == H5D_CONTIGUOUS || layout == H5D_COMPACT;
    if (H5Tget_class(type.id()) == H5T_INTEGER && width <= sizeof(std::int64_t) && bytes == width && filters == 0 &&
        plain) {
        object.kind = H5Record::integer;
    } else if (!empty && (H5Tequal(type.id(), H5T_IEEE_F32LE) > 0 || H5Tequal(type.id(), H5T_IEEE_F64LE) > 0)) {
        if (rank > 3) {
            object.other = H5Other::rank;
        } else {
            object.kind = H5Record::floats;
            object.shape.assign(shape.begin(), shape.end());
        }
    }
    return object;
}

void H5Image::read(Found& found) const {
    H5Object& object = found.object;
    if (object.kind != H5Record::floats && object.kind != H5Record::integer) return;
    const Opened dataset(H5Dopen2(file_, found.path.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset.valid()) refuse(H5Rule::damaged, found.path);
    void* into = &object.integer;
    hid_t type = H5T_NATIVE_INT64;
    if (object.kind == H5Record::floats) {
        std::size_t count = 1;
        for (const std::size_t size : object.shape) count *= size;
        object.values.resize(count);
        into = object.values.data();
        type = H5T_NATIVE_FLOAT;
        if (count == 0) return;
    }
    if (H5Dread(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, into) < 0) refuse(H5Rule::damaged, found.path);
}

}  // namespace moe
