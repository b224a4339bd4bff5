#include "engine/formats/json_text.h"

#include "engine/core/numbers.h"
#include "engine/formats/strangers_text.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace moe {

namespace {

constexpr std::size_t deepest = 64;

/// Values that a text may hold: the document takes twice the text and 32 MiB at most, at 48 bytes for a key's value.
constexpr std::size_t most_values(std::size_t bytes) {
    return (2 * bytes + (std::size_t(32) << 20)) / 48;
}

// Goes before the Builder: how much each array and object holds, so that none grows by copies of what it has, and
// whether a stranger's text is too deep or would become many times its size.
class Counter : public nlohmann::json_sax<Json> {
public:
    explicit Counter(std::size_t bytes) : left_(most_values(bytes)) {}

    std::vector<std::uint32_t> sizes;  // in the order in which they are opened
    std::string problem;

    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(number_integer_t) override { return value(); }
    bool number_unsigned(number_unsigned_t) override { return value(); }
    bool number_float(number_float_t, const string_t&) override { return value(); }
    bool string(string_t&) override { return value(); }
    bool binary(binary_t&) override { return value(); }
    bool start_object(std::size_t) override { return open(); }
    bool start_array(std::size_t) override { return open(); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t&) override { return true; }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        problem = "it is no JSON at byte " + with_commas(position);
        return false;
    }

private:
    bool value() {
        if (left_-- == 0) {
            problem = "it holds more values than a text of its size needs";
            return false;
        }
        if (!open_.empty()) ++sizes[open_.back()];
        return true;
    }

    bool open() {
        if (open_.size() == deepest) {
            problem = "it is more than 64 levels deep";
            return false;
        }
        if (!value()) return false;
        open_.push_back(sizes.size());
        sizes.push_back(0);
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    std::size_t left_;
    std::vector<std::size_t> open_;
};

// Builds the document and refuses what nlohmann's own parser takes in silence: twice the same key, a number that
// becomes infinite.
class Builder : public nlohmann::json_sax<Json> {
public:
    explicit Builder(std::vector<std::uint32_t> sizes) : sizes_(std::move(sizes)) {}

    Json document;
    std::string problem;

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t, const string_t& text) override {
        double value = 0;  // read again, because the parser's own reading follows the locale
        if (!parse_number(text, value)) return fail("the number " + strangers_text(text) + " is out of range");
        return put(value);
    }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return fail("it holds binary data"); }

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override {
        const Json::object_t& fields = open_.back()->get_ref<const Json::object_t&>();
        std::vector<std::string_view> keys;
        keys.reserve(fields.size());
        for (const auto& field : fields) keys.push_back(field.first);
        std::ranges::sort(keys);
        if (const auto twice = std::ranges::adjacent_find(keys); twice != keys.end())
            return fail("the key \"" + strangers_text(*twice) + "\" stands twice");
        open_.pop_back();
        return true;
    }
    bool end_array() override {
        open_.pop_back();
        return true;
    }
    bool key(string_t& name) override {
        key_ = std::move(name);
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        return fail("it is no JSON at byte " + with_commas(position));
    }

private:
    bool fail(std::string why) {
        problem = std::move(why);
        return false;
    }

    Json* place(Json&& value) {
        if (open_.empty()) {
            document = std::move(value);
            return &document;
        }
        Json& parent = *open_.back();
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        // ordered_map looks for the key in a line; the keys are known to differ, so its base's own append is enough.
        auto& fields = parent.get_ref<Json::object_t&>();
        static_cast<Json::object_t::Container&>(fields).emplace_back(std::move(key_), std::move(value));
        return &fields.back().second;
    }

    template <class T>
    bool put(T&& value) {
        place(Json(std::forward<T>(value)));
        return true;
    }

    bool open(Json&& empty) {
        open_.push_back(place(std::move(empty)));
        const std::size_t size = sizes_[next_++];
        if (open_.back()->is_array())
            open_.back()->get_ref<Json::array_t&>().reserve(size);
        else
            open_.back()->get_ref<Json::object_t&>().reserve(size);
        return true;
    }

    std::vector<Json*> open_;  // the innermost last; a parent does not grow while a child is open
    std::string key_;
    std::vector<std::uint32_t> sizes_;
    std::size_t next_ = 0;
};

// {"a": 1, "b": 2}: nothing but whole numbers below one object.
class NumberList : public nlohmann::json_sax<Json> {
public:
    std::vector<std::pair<std::string, std::uint64_t>> entries;
    std::string problem;

    bool null() override { return other(); }
    bool boolean(bool) override { return other(); }
    bool number_integer(number_integer_t) override { return other(); }
    bool number_unsigned(number_unsigned_t value) override {
        if (!inside_) return other();
        entries.back().second = value;
        return true;
    }
    bool number_float(number_float_t, const string_t&) override { return other(); }
    bool string(string_t&) override { return other(); }
    bool binary(binary_t&) override { return other(); }
    bool start_object(std::size_t) override {
        if (inside_) return other();
        return inside_ = true;
    }
    bool start_array(std::size_t) override { return other(); }
    bool end_object() override { return true; }
    bool end_array() override { return true; }
    bool key(string_t& name) override {
        entries.emplace_back(std::move(name), 0);
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        problem = "it is no JSON at byte " + with_commas(position);
        return false;
    }

private:
    bool other() {
        problem = entries.empty() ? "it is no JSON object"
                                  : "\"" + strangers_text(entries.back().first) + "\" is not a whole number";
        return false;
    }

    bool inside_ = false;
};

}  // namespace

std::vector<std::pair<std::string, std::uint64_t>> parse_number_list(std::string_view text, const std::string& name) {
    NumberList list;
    const bool read = Json::sax_parse(text.begin(), text.end(), &list);
    if (read) {
        std::vector<std::string_view> keys;
        keys.reserve(list.entries.size());
        for (const auto& entry : list.entries) keys.push_back(entry.first);
        std::ranges::sort(keys);
        if (const auto twice = std::ranges::adjacent_find(keys); twice != keys.end())
            list.problem = "the key \"" + strangers_text(*twice) + "\" stands twice";
    }
    if (!read || !list.problem.empty())
        throw Error("'" + name + "' cannot be read: " + (list.problem.empty() ? "it is no JSON" : list.problem) + ".");
    return std::move(list.entries);
}

Json parse_json(std::string_view text, const std::string& name) {
    Counter counter(text.size());
    const bool counted = Json::sax_parse(text.begin(), text.end(), &counter);
    Builder builder(std::move(counter.sizes));
    builder.problem = counter.problem;
    if (!counted || !Json::sax_parse(text.begin(), text.end(), &builder))
        throw Error("'" + name + "' cannot be read: " + (builder.problem.empty() ? "it is no JSON" : builder.problem) +
                    ".");
    return std::move(builder.document);
}

const Json& json_field(const Json& object, std::string_view key, const std::string& name) {
    if (object.is_object())
        if (const auto found = object.find(std::string(key)); found != object.end()) return *found;
    throw Error("'" + name + "' has no \"" + std::string(key) + "\" where one is needed.");
}

std::uint64_t json_whole(const Json& value, std::uint64_t most, std::string_view what, const std::string& name) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= most) return value.get<std::uint64_t>();
    throw Error("'" + name + "': " + std::string(what) + " is not a whole number from 0 to " + with_commas(most) + ".");
}

double json_real(const Json& value, std::string_view what, const std::string& name) {
    double number = 0;
    if (value.is_number()) return value.get<double>();
    if (value.is_string() && parse_number(value.get_ref<const std::string&>(), number) && !std::isfinite(number))
        return number;
    throw Error("'" + name + "': " + std::string(what) + " is not a number.");
}

std::string json_quote(std::string_view text) {
    return Json(std::string(text)).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string json_number(double value) {
    const std::string text = to_text(value);
    return std::isfinite(value) ? text : '"' + text + '"';
}

}  // namespace moe
