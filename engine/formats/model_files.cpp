#include "engine/formats/model_files.h"

#include "engine/core/atomic_file.h"
#include "engine/core/checked.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"
#include "engine/formats/hdf5_weights.h"
#include "engine/formats/json_text.h"
#include "engine/formats/keras_archive.h"
#include "engine/formats/keras_graph.h"
#include "engine/formats/keras_weights.h"
#include "engine/formats/legacy_h5.h"
#include "engine/formats/strangers_text.h"
#include "engine/formats/tokenizer_pickle.h"
#include "engine/text/utf8.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

namespace moe {

namespace {

// What a member may hold, so that a stranger's file is refused by its sizes before anything is allocated.
constexpr std::size_t largest_config = std::size_t(1) << 24, largest_settings = std::size_t(1) << 24,
                      largest_run = std::size_t(1) << 28, weights_slack = std::size_t(1) << 26;
constexpr std::size_t file_start = 65536;  // enough to say what a file is
constexpr const char* experiment_member = "moe-lab/experiment.json";
constexpr const char* run_member = "moe-lab/run.json";
constexpr const char* initial_member = "moe-lab/initial.keras";

/// Of one variable: the parameter's, or one expert's part of it.
std::vector<std::size_t> shape_of(const NamedArray& parameter, const KerasVariable& v) {
    return {parameter.shape.begin() + (v.expert ? 1 : 0),
            parameter.shape.begin() + std::ptrdiff_t(parameter_ranks[v.parameter])};
}

std::span<const float> values_of(const std::vector<NamedArray>& arrays, const KerasVariable& v) {
    const NamedArray& whole = arrays[v.parameter];
    if (!v.expert) return whole.values;
    const std::size_t part = whole.values.size() / whole.shape[0];
    return std::span(whole.values).subspan(*v.expert * part, part);
}

std::string write_weights(const KerasModel& model, const RunState& state) {
    const std::vector<NamedArray> expected = canonical_parameters(model.spec);
    const auto check = [&](const std::vector<NamedArray>& arrays, const char* what) {
        for (std::size_t i = 0; i < expected.size(); ++i)
            if (arrays.size() != expected.size() || arrays[i].shape != expected[i].shape)
                throw Error(std::string("The model cannot be saved: its ") + what + " do not fit its settings.");
    };
    check(state.parameters, "parameters");
    std::vector<std::string> groups{"vars", "optimizer/vars"};
    for (std::string& group : model.weight_groups()) groups.push_back(std::move(group));

    std::vector<Hdf5Item> items;
    const std::vector<KerasVariable> trainable = model.variables();
    std::vector<KerasVariable> canonical = trainable;
    std::ranges::stable_sort(canonical, {}, &KerasVariable::parameter);
    for (const KerasVariable& v : canonical)
        items.push_back({v.path, shape_of(expected[v.parameter], v), values_of(state.parameters, v), {}});
    std::size_t next = 0;
    const auto optimizer_path = [&next] { return "optimizer/vars/" + std::to_string(next++); };
    if (state.step > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
        throw Error("The model cannot be saved: its step is out of range.");
    const float rate = float(state.experiment.train.learning_rate);
    items.push_back({optimizer_path(), {}, {}, std::int64_t(state.step)});
    items.push_back({optimizer_path(), {}, {&rate, 1}, {}});
    if (!state.momentum.empty() || !state.velocity.empty()) {
        check(state.momentum, "optimizer's values");
        check(state.velocity, "optimizer's values");
        for (const KerasVariable& v : trainable)
            for (const std::vector<NamedArray>* moments : {&state.momentum, &state.velocity})
                items.push_back({optimizer_path(), shape_of(expected[v.parameter], v), values_of(*moments, v), {}});
    }
    return write_hdf5(groups, items);
}

std::string experiment_json(const Experiment& experiment) {
    return "{\"format\": \"moe-lab experiment\", \"version\": 1, \"settings\": " + settings_json(experiment) + "}";
}

std::string run_json(const SavedModel& model) {
    const RunState& state = model.state;
    const auto whole = [](std::uint64_t value) { return std::to_string(value); };
    const auto numbers = [](const auto& values) {
        std::string list;
        for (const auto value : values) list += (list.empty() ? "" : ", ") + json_number(double(value));
        return "[" + list + "]";
    };
    std::string text = "{\"format\": \"moe-lab run\", \"version\": 1, \"step\": " + whole(state.step) +
                       ", \"epoch\": " + whole(state.epoch) + ", \"next_example\": " + whole(state.next_example) +
                       ", \"sums\": {\"loss\": " + json_number(state.sums.loss) +
                       ", \"balance\": " + json_number(state.sums.balance) +
                       ", \"correct\": " + whole(state.sums.correct) + ", \"examples\": " + whole(state.sums.examples) +
                       "}, \"target_epochs\": " + whole(state.target_epochs) +
                       ", \"load_sums\": " + numbers(state.load_sums) + ", \"load\": " + numbers(state.load) +
                       ", \"corpus_name\": " + json_quote(model.corpus_name) + ", \"epochs\": [";
    bool first = true;
    for (const EpochRecord& epoch : state.epochs) {
        text += (first ? "[" : ", [") + json_number(epoch.loss) + ", " + json_number(epoch.accuracy) + ", " +
                json_number(epoch.balance) + "]";
        first = false;
    }
    text += "]";
    if (state.epochs.spacing() > 1)  // thinned
        text += ", \"epoch_spacing\": " + whole(state.epochs.spacing()) +
                ", \"epochs_finished\": " + whole(state.epochs.finished());
    return text + "}";
}

Json read_member(const std::string& text, const std::string& member, std::uint64_t known, const std::string& name) {
    Json json = parse_json(text, name + ": " + member);
    check_version(json, known, name);
    return json;
}

void read_experiment(const std::string& text, const std::string& name, Experiment& experiment) {
    const ModelSpec built = experiment.model;
    const Json json = read_member(text, experiment_member, experiment_version, name);
    read_settings(json_field(json, "settings", name), name, experiment);
    experiment.model.vocabulary = built.vocabulary;
    ModelSpec compared = experiment.model;
    compared.balance_loss = built.balance_loss;
    if (compared.router != "top_k") compared.top_k = built.top_k;
    if (compared != built)
        throw Error("'" + name + "' contradicts itself: its settings are not those of the model in it.");
}

void read_run(const std::string& text, const std::string& name, SavedModel& model) {
    const Json json = read_member(text, run_member, run_version, name);
    const auto whole = [&](const Json& object, const char* key) {
        return json_whole(json_field(object, key, name), json_any_whole, key, name);
    };
    RunState& state = model.state;
    const std::uint64_t step = whole(json, "step");
    if (step != state.step)
        throw Error("'" + name + "' contradicts itself: its training is at step " + with_commas(step) +
                    ", its optimizer at step " + with_commas(state.step) + ".");
    state.epoch = whole(json, "epoch");
    state.next_example = whole(json, "next_example");
    const Json& sums = json_field(json, "sums", name);
    state.sums = {json_real(json_field(sums, "loss", name), "loss", name),
                  json_real(json_field(sums, "balance", name), "balance", name), whole(sums, "correct"),
                  whole(sums, "examples")};
    // Files of the first versions have none of these.
    if (json.contains("target_epochs")) state.target_epochs = whole(json, "target_epochs");
    const auto shares = [&](const char* key, auto& values) {
        if (!json.contains(key)) return;
        for (const Json& value : json[key]) {
            values.push_back(
                static_cast<typename std::decay_t<decltype(values)>::value_type>(json_real(value, key, name)));
        }
        if (!values.empty() && values.size() != state.experiment.model.num_experts)
            throw Error("'" + name + "' contradicts itself: its " + key + " is not one number an expert.");
    };
    shares("load_sums", state.load_sums);
    shares("load", state.load);
    const Json& corpus_name = json_field(json, "corpus_name", name);
    if (corpus_name.is_string()) model.corpus_name = corpus_name.get<std::string>();
    std::vector<EpochRecord> epochs;
    for (const Json& epoch : json_field(json, "epochs", name)) {
        if (!epoch.is_array() || epoch.size() != 3) throw Error("'" + name + "': its history of epochs is damaged.");
        epochs.push_back({json_real(epoch[0], "an epoch's loss", name),
                          json_real(epoch[1], "an epoch's accuracy", name),
                          json_real(epoch[2], "an epoch's balance loss", name)});
    }
    const bool thinned = json.contains("epoch_spacing");
    try {
        state.epochs = EpochCurve::restored(epochs, thinned ? whole(json, "epoch_spacing") : 1,
                                            thinned ? whole(json, "epochs_finished") : epochs.size());
    } catch (const Error& error) {
        throw Error("'" + name + "' is damaged. " + error.what());
    }
}

void refuse_other_files(std::string_view bytes, const std::string& name) {
    if (bytes.starts_with("PK\x03\x04")) return;
    const auto refuse = [&](const char* what) { throw Error("'" + name + "' is not a .keras file but " + what); };
    const std::size_t first = bytes.find_first_not_of(" \t\r\n");
    if (bytes.empty()) refuse("empty; copy it again from where it came.");
    if (is_hdf5(bytes)) refuse("a model in the legacy HDF5 format, which opens as a model alone.");
    if (first != std::string_view::npos && (bytes[first] == '{' || bytes[first] == '"'))
        refuse("a JSON file, perhaps the tokenizer's; give the model's file.");
    const std::size_t bad = find_bad_utf8(bytes);
    const bool cut = bytes.size() == file_start && bad != std::string_view::npos && bad + 4 > bytes.size();
    if (bytes.find('\0') == std::string_view::npos && (bad == std::string_view::npos || cut))
        refuse("a text file; give the model's file.");
    refuse("something else (it does not start as a zip archive does); give the model's file.");
}

// The embedding has a row for every number that the tokenizer gives. With num_words people size it either way.
void check_vocabulary(const Tokenizer& tokenizer, const ModelSpec& spec, const std::string& tokenizer_name,
                      const std::string& name) {
    const bool fits = tokenizer.options().num_words ? tokenizer.vocabulary() <= spec.vocabulary
                                                    : tokenizer.vocabulary() == spec.vocabulary;
    if (!fits)
        throw Error("The tokenizer '" + tokenizer_name + "' has " + with_commas(tokenizer.vocabulary()) +
                    " numbers, but the model '" + name + "' has a vocabulary of " + with_commas(spec.vocabulary) +
                    "; they belong to different models.");
}

}  // namespace

std::string settings_json(const Experiment& experiment) {
    std::string text;
    for (const Setting& setting : settings())
        text += (text.empty() ? "{" : ", ") + json_quote(setting.key) + ": " + json_quote(setting.get(experiment));
    return text + "}";
}

void read_settings(const Json& settings, const std::string& name, Experiment& experiment) {
    for (const auto& [key, value] : settings.items()) {
        try {
            if (!value.is_string()) throw UsageError("The setting " + key + " is no text.");
            // What is no setting's stands in the sentence, and no setting has more.
            apply_setting(experiment, strangers_text(key), strangers_text(value.get<std::string>()));
        } catch (const UsageError& error) {
            throw Error("'" + name + "': its settings cannot be read. " + error.what());
        }
    }
}

std::string program_name() {
    return "MoE Lab " MOELAB_VERSION;
}

void check_version(const Json& json, std::uint64_t known, const std::string& name) {
    const std::uint64_t version = json_whole(json_field(json, "version", name), json_any_whole, "its version", name);
    if (version <= known) return;
    std::string writer = "a newer MoE Lab";
    if (const auto found = json.find("written_by"); found != json.end() && found->is_string())
        writer = strangers_text(found->get<std::string>());
    throw Error("'" + name + "' was written by " + writer + " in version " + std::to_string(version) +
                " of the format, and this " + program_name() + " reads up to version " + std::to_string(known) +
                "; open it with the newer program.");
}

std::string write_keras(const SavedModel& model, std::vector<ZipMember> more, KerasForm form) {
    const RunState& state = model.state;
    const ModelSpec& spec = state.experiment.model;
    const KerasModel keras = form == KerasForm::classes ? build_class_model(spec) : build_keras_model(spec);
    // A fixed date: equal models are equal files.
    std::vector<ZipMember> members{
        {"metadata.json", R"({"keras_version": "3.3.3", "date_saved": "1980-01-01@00:00:00"})"},
        {"config.json", write_keras_config(keras, state.experiment.train.learning_rate)},
        {"model.weights.h5", write_weights(keras, state)},
        {experiment_member, experiment_json(state.experiment)},
        {run_member, run_json(model)}};
    if (model.tokenizer) {
        members.push_back({tokenizer_member, write_tokenizer_json(*model.tokenizer)});
        if (const std::size_t bytes = members.back().bytes.size(); bytes > largest_tokenizer)
            throw Error("The list of words takes " + format_bytes(bytes) + ", more than the " +
                        format_bytes(largest_tokenizer) + " that can be opened again; use a text of fewer words.");
    }
    if (!model.corpus_text.empty()) members.push_back({corpus_member, model.corpus_text});
    if (state.initial) {
        SavedModel initial;
        initial.state = *state.initial;
        initial.state.initial.reset();
        initial.state.experiment.model.max_seq_len = state.experiment.model.max_seq_len;  // not every file says it
        members.push_back({initial_member, write_keras(initial)});
    }
    for (ZipMember& further : more) members.push_back(std::move(further));
    return write_zip(members);
}

std::string write_keras(const SavedModel& model, KerasForm form) {
    return write_keras(model, {}, form);
}

namespace {

/// What an honest model.weights.h5 of this model holds at most: in float64, with three slots of an optimizer.
std::size_t largest_weights(const ModelSpec& spec, const std::string& name) {
    std::size_t numbers = 0;
    const std::string what = "The model in '" + name + "'";
    for (const NamedArray& array : canonical_parameters(spec))
        numbers = checked_sum(what, {numbers, checked_product(what, {array.shape[0], array.shape[1], array.shape[2]})});
    return checked_sum(what, {checked_product(what, {numbers, 4, sizeof(double)}), weights_slack});
}

/// Whatever is read is held as bytes and as numbers for a while.
void check_memory(const ZipReader& archive) {
    std::size_t bytes = 0;
    for (const std::string& member : archive.members())
        if (member == "config.json" || member == "model.weights.h5" || member.starts_with("moe-lab/"))
            bytes = checked_sum("The archive", {bytes, archive.size(member)});
    if (bytes > default_memory_limit() / 2)
        throw Error("'" + archive.name() + "' holds " + format_bytes(bytes) +
                    ", more than the memory of this machine can take in; open it on a larger one.");
}

/// `outermost`: not what lies in another file as its beginning. `session`: also its session_member, where it has one.
SavedModel read_archive(const ZipReader& archive, const H5Program& program, bool outermost,
                        std::optional<Json>* session = nullptr) {
    const std::string& name = archive.name();
    check_memory(archive);
    if (archive.has(session_member)) {
        Json json = read_session_json(archive);
        if (session) *session = std::move(json);
    }
    KerasModel keras = read_keras_config(archive.read("config.json", largest_config), name);
    if (keras.of_classes && archive.has(experiment_member)) keras.gate_first = true;  // build_class_model()'s
    // Of the tutorial's classes the weights alone tell how large they are: check_memory() is their bound.
    const std::size_t most_weights =
        keras.of_classes ? archive.size("model.weights.h5") : largest_weights(keras.spec, name);
    SavedModel model;
    Experiment& experiment = model.state.experiment;
    if (keras.learning_rate && std::isfinite(*keras.learning_rate) && *keras.learning_rate >= 0)
        experiment.train.learning_rate = shortest_decimal(*keras.learning_rate);
    {
        const std::string image = archive.read("model.weights.h5", most_weights);
        // What a stranger's file hangs in is given up by the file's size, not by what it unpacks to.
        H5Program timed = program;
        if (timed.read_seconds <= 0) timed.read_seconds = h5_seconds(archive.packed("model.weights.h5"));
        Hdf5Reader weights(image, name, timed);
        model.remarks = read_archive_weights(weights, name, keras, model.state);
    }
    experiment.model = keras.spec;
    if (archive.has(experiment_member) && archive.has(run_member)) {
        read_experiment(archive.read(experiment_member, largest_settings), name, experiment);
        read_run(archive.read(run_member, largest_run), name, model);
        model.complete = true;
    }
    if (archive.has(tokenizer_member)) {
        model.tokenizer =
            read_tokenizer_json(archive.read(tokenizer_member, largest_tokenizer), name + ": tokenizer.json");
        check_vocabulary(*model.tokenizer, experiment.model, "tokenizer.json", name);
    }
    if (archive.has(corpus_member)) model.corpus_text = archive.read(corpus_member, largest_corpus);
    if (!outermost) return model;
    if (!model.complete) {  // somebody else's: the run begins here
        model.state.initial = std::make_shared<const RunState>(model.state);
    } else if (archive.has(initial_member)) {
        const std::string bytes = archive.read(initial_member, checked_sum("The archive", {most_weights, largest_run}));
        refuse_other_files(bytes, name + ": initial.keras");
        RunState initial = read_archive(ZipReader::in_memory(bytes, name + ": initial.keras"), program, false).state;
        const auto same_shape = [](const NamedArray& a, const NamedArray& b) { return a.shape == b.shape; };
        if (!std::ranges::equal(initial.parameters, model.state.parameters, same_shape))
            throw Error("'" + name + "' contradicts itself: it began as a model of another size.");
        model.state.initial = std::make_shared<const RunState>(std::move(initial));
    }
    return model;
}

}  // namespace

SavedModel read_keras(std::string_view bytes, const std::string& name, const H5Program& program) {
    if (is_hdf5(bytes)) return read_legacy_h5(bytes, name, program);
    refuse_other_files(bytes.substr(0, file_start), name);
    return read_archive(ZipReader::in_memory(bytes, name), program, true);
}

ZipReader open_keras_archive(const std::filesystem::path& file) {
    refuse_other_files(read_file_part(file, 0, file_start), file.string());
    return ZipReader::on_disk(file, file.string());
}

Json read_session_json(const ZipReader& archive) {
    Json json = parse_json(archive.read(session_member, largest_session), archive.name() + ": " + session_member);
    check_version(json, session_version, archive.name());
    return json;
}

void save_model_file(const std::filesystem::path& file, const SavedModel& model, KerasForm form) {
    write_file(file, write_keras(model, form));
}

void save_model_folder(const std::filesystem::path& folder, const SavedModel& model) {
    // All is made before anything is written, so that a model that cannot be packed leaves the folder as it was.
    const std::string keras = write_keras(model);
    const std::string tokenizer = model.tokenizer ? write_tokenizer_json(*model.tokenizer) : "";
    make_folder(folder);
    // The large file first: where the disk is full, the folder stays what it was.
    write_file(folder / "model.keras", keras);
    if (model.tokenizer) write_file(folder / "tokenizer.json", tokenizer);
    write_file(folder / "max_seq_len.txt", std::to_string(model.state.experiment.model.max_seq_len));
}

namespace {

/// The archive's own tokenizer wins; where the one beside it says otherwise, that must not go unsaid.
void say_unused(SavedModel& model, const std::filesystem::path& beside) {
    std::string how = "is another one than";
    try {
        const std::string json = read_file(beside, largest_tokenizer);
        if (json == write_tokenizer_json(*model.tokenizer) || read_tokenizer(json, beside.string()) == *model.tokenizer)
            return;
    } catch (const Error&) {
        how = "cannot be read and is not needed beside";
    }
    model.remarks.push_back("'" + beside.string() + "' " + how + " the tokenizer inside the model, which is used.");
}

}  // namespace

SavedModel load_model(const std::filesystem::path& path, const H5Program& program) {
    return load_model_archive(path, program).model;
}

namespace {

/// What the tutorial and Keras call the model in a folder: model.keras, else the only .keras file, else the only one in
/// the legacy format.
std::filesystem::path model_in(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (fs::exists(folder / "model.keras", error)) return folder / "model.keras";
    std::vector<fs::path> archives, legacy;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const fs::path ending = entry.path().extension();
        if (ending == ".keras") archives.push_back(entry.path());
        if (ending == ".h5" || ending == ".hdf5") legacy.push_back(entry.path());
    }
    const std::vector<fs::path>& found = archives.empty() ? legacy : archives;
    if (found.size() == 1) return found[0];
    throw Error(
        "The folder '" + folder.string() + "' has " +
        (found.empty() ? "no model.keras" : "no model.keras, but " + with_commas(found.size()) + " others") +
        "; give a folder that holds model.keras (or one .keras or .h5 file), tokenizer.json and max_seq_len.txt.");
}

/// The tokenizer beside a model: JSON, else a pickle. Empty where there is none.
std::filesystem::path tokenizer_in(const std::filesystem::path& folder) {
    std::error_code error;
    for (const char* name : {"tokenizer.json", "tokenizer.pkl", "tokenizer.pickle"})
        if (std::filesystem::exists(folder / name, error)) return folder / name;
    return {};
}

}  // namespace

ModelArchive load_model_archive(const std::filesystem::path& path, const H5Program& program) {
    namespace fs = std::filesystem;
    std::error_code error;
    const bool is_folder = fs::is_directory(path, error);
    const fs::path file = is_folder ? model_in(path) : path;
    std::optional<ZipReader> archive;
    std::optional<Json> session;
    SavedModel model;
    if (is_hdf5(read_file_part(file, 0, file_start))) {
        model = read_legacy_h5(read_file(file, default_memory_limit() / 2), file.string(), program);
    } else {
        archive.emplace(open_keras_archive(file));
        model = read_archive(*archive, program, true, &session);
    }
    const fs::path folder = file.parent_path(), tokenizer = tokenizer_in(folder), length = folder / "max_seq_len.txt";
    const auto missing = [&](const char* what) {
        throw Error("The folder '" + path.string() + "' has no " + what +
                    ", and the model does not carry it; put the "
                    "file beside the model.");
    };
    if (model.tokenizer) {
        if (!tokenizer.empty()) say_unused(model, tokenizer);
    } else {
        if (!tokenizer.empty()) {
            model.tokenizer = read_tokenizer(read_file(tokenizer, largest_tokenizer), tokenizer.string());
            check_vocabulary(*model.tokenizer, model.state.experiment.model, tokenizer.string(), file.string());
        } else if (is_folder) {
            missing("tokenizer.json or tokenizer.pkl");
        }
    }
    std::size_t& max_seq_len = model.state.experiment.model.max_seq_len;
    if (max_seq_len == 0) {
        if (fs::exists(length, error)) {
            std::string text = read_file(length, 1000);
            while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
            unsigned long long number = 0;
            if (!parse_number(text, number) || number < 1 || number > max_sequence_length)
                throw Error("'" + length.string() + "' does not hold one number from 1 to " +
                            with_commas(max_sequence_length) + ".");
            max_seq_len = std::size_t(number);
        } else if (is_folder) {
            missing("max_seq_len.txt");
        }
    }
    return {std::move(archive), std::move(session), std::move(model)};
}

}  // namespace moe
