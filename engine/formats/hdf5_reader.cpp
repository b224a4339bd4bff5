#include "engine/core/checked.h"
#include "engine/formats/hdf5_texts.h"
#include "engine/formats/hdf5_weights.h"

#include <utility>

namespace moe {

namespace {

constexpr std::size_t most_parts = 65536;

std::string shape_text(const std::vector<std::size_t>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

}  // namespace

Hdf5Reader::Hdf5Reader(std::string_view image, std::string name, const H5Program& program)
    : name_(std::move(name)), image_(image), objects_(read_h5(program, image, name_)) {}

bool Hdf5Reader::exists(const std::string& path) const {
    return objects_.contains(path);
}

std::size_t Hdf5Reader::links(const std::string& path) const {
    const auto found = objects_.find(path);
    if (found == objects_.end() || found->second.kind != H5Record::group)
        throw Error("'" + name_ + "': its weights have no group " + path + "; save the model again.");
    return std::size_t(found->second.links);
}

const H5Object& Hdf5Reader::array(const std::string& path, const std::string& owner) const {
    const auto refuse = [&](const char* what) {
        throw Error("'" + name_ + "': the weights of " + owner + " (" + path + ") " + what + ".");
    };
    const auto found = objects_.find(path);
    if (found == objects_.end()) refuse("are missing; copy the file again, or save the model again");
    const H5Object& object = found->second;
    if (object.kind == H5Record::group) refuse("are a group where an array belongs; save the model again");
    if (object.kind != H5Record::floats)
        refuse(object.other == H5Other::rank ? "are of a rank that no layer here has"
                                             : "are not float32 or float64 numbers; save the model with dtype float32");
    return object;
}

std::vector<std::size_t> Hdf5Reader::shape(const std::string& path, const std::string& owner) const {
    return array(path, owner).shape;
}

std::vector<float> Hdf5Reader::take_floats(const std::string& path, const std::vector<std::size_t>& shape,
                                           const std::string& owner) {
    const H5Object& found = array(path, owner);
    const auto refuse = [&](const std::string& what) {
        throw Error("'" + name_ + "': the weights of " + owner + " (" + path + ") " + what + ".");
    };
    if (found.shape != shape)
        refuse("are of the shape " + shape_text(found.shape) + ", but the model needs " + shape_text(shape));
    if (!taken_.insert(path).second) refuse("are those of something else as well; save the model again");
    return std::move(objects_.at(path).values);
}

std::int64_t Hdf5Reader::integer(const std::string& path, const std::string& owner) const {
    const auto found = objects_.find(path);
    if (found == objects_.end() || found->second.kind != H5Record::integer)
        throw Error("'" + name_ + "': " + owner + " (" + path + ") " +
                    (found == objects_.end() ? "is missing." : "is not one whole number."));
    return found->second.integer;
}

std::optional<std::vector<std::string>> Hdf5Reader::read_texts(const std::string& path,
                                                               const std::string& attribute) const {
    const auto found = objects_.find(path);
    if (found == objects_.end()) return {};
    const std::string where = "'" + name_ + "': its attribute " + attribute + (path.empty() ? "" : " of " + path);
    return read_hdf5_texts(image_, found->second.address, attribute, where);
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
        if (!part || all.size() + part->size() > most_parts) break;
        all.insert(all.end(), part->begin(), part->end());
    }
    return all;
}

}  // namespace moe
