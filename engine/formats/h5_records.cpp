#include "engine/formats/h5_records.h"

#include "engine/core/checked.h"

#include <algorithm>
#include <bit>

namespace moe {

static_assert(std::endian::native == std::endian::little, "numbers are sent as they lie in memory");

namespace {

class RecordReader {
public:
    RecordReader(const std::function<void(void*, std::size_t)>& take, std::size_t file_bytes)
        : take_(take), file_bytes_(file_bytes), left_(h5_most_bytes(file_bytes)) {}

    H5Contents read() {
        H5Contents contents;
        for (;;) {
            const auto kind = H5Record(number<char>());
            if (kind == H5Record::end) break;
            std::string path = read_path();
            if (kind == H5Record::refused) {
                contents.objects.clear();
                contents.refused = read_refusal(std::move(path));
                return contents;
            }
            if (contents.objects.size() >= std::min(h5_most_objects, file_bytes_ / h5_least_object))
                wrong("too many records");
            if (!contents.objects.emplace(std::move(path), read_object(kind)).second) wrong("a path twice");
        }
        if (number<std::uint64_t>() != contents.objects.size()) wrong("another number of records");
        return contents;
    }

private:
    [[noreturn]] static void wrong(const char* what) { throw Error(what); }

    template <class T>
    T number() {
        T value{};
        take_(&value, sizeof value);
        return value;
    }

    std::string read_path() {
        const auto size = number<std::uint16_t>();
        if (size > h5_most_path) wrong("a path too long");
        std::string path(size, '\0');
        take_(path.data(), size);
        return path;
    }

    H5Refused read_refusal(std::string path) {
        const auto rule = number<std::uint8_t>();
        if (rule >= std::uint8_t(H5Rule::count)) wrong("an unknown rule");
        return {H5Rule(rule), std::move(path), number<std::uint64_t>()};
    }

    H5Object read_object(H5Record kind) {
        H5Object object;
        object.kind = kind;
        object.address = number<std::uint64_t>();
        if (object.address >= file_bytes_) wrong("an address outside of the file");
        switch (kind) {
            case H5Record::group:
                object.links = number<std::uint64_t>();
                break;
            case H5Record::floats:
                read_floats(object);
                break;
            case H5Record::integer:
                object.integer = number<std::int64_t>();
                break;
            case H5Record::other:
                object.other = H5Other(number<std::uint8_t>());
                if (object.other >= H5Other::count) wrong("an unknown reason");
                break;
            default:
                wrong("an unknown record");
        }
        return object;
    }

    void read_floats(H5Object& object) {
        const auto rank = number<std::uint8_t>();
        if (rank > 3) wrong("an unknown rank");
        std::size_t count = 1;
        for (std::uint8_t i = 0; i < rank; ++i) {
            object.shape.push_back(number<std::uint64_t>());
            count = checked_product("an array", {count, object.shape.back()});
        }
        const std::size_t bytes = checked_product("an array", {count, sizeof(float)});
        if (bytes > left_) wrong("more values than the file can hold");
        left_ -= bytes;
        object.values.resize(count);
        take_(object.values.data(), bytes);
    }

    const std::function<void(void*, std::size_t)>& take_;
    std::size_t file_bytes_, left_;
};

}  // namespace

H5Contents read_h5_records(const std::function<void(void*, std::size_t)>& take, std::size_t file_bytes) {
    return RecordReader(take, file_bytes).read();
}

}  // namespace moe
