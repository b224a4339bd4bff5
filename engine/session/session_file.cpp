#include "engine/session/session_file.h"

#include "engine/core/atomic_file.h"
#include "engine/core/numbers.h"
#include "engine/formats/keras_archive.h"
#include "engine/session/history_file.h"
#include "engine/session/timeline_file.h"

#include <algorithm>
#include <limits>

namespace moe {

namespace {

constexpr const char *history_member = "moe-lab/history.safetensors", *notes_member = "moe-lab/notes.txt",
                     *window_member = "moe-lab/window.json";
constexpr std::size_t largest_history = std::size_t(1) << 26, largest_window = std::size_t(1) << 16,
                      most_guesses = 4096;
constexpr std::uint64_t any_signed = std::numeric_limits<std::int64_t>::max();

/// One flat JSON object, its fields in the order in which they are put.
class ObjectText {
public:
    void text(const char* key, const std::string& value) { put(key, json_quote(value)); }
    void whole(const char* key, std::uint64_t value) { put(key, std::to_string(value)); }
    void real(const char* key, double value) { put(key, json_number(value)); }
    void put(const char* key, const std::string& json) {
        fields_ += (fields_.empty() ? "" : ", ") + json_quote(key) + ": " + json;
    }
    std::string done() const { return "{" + fields_ + "}"; }

private:
    std::string fields_;
};

std::string session_json(const WholeSession& s, const std::string& text_elsewhere) {
    ObjectText out;
    out.text("format", "moe-lab session");
    out.whole("version", session_version);
    out.text("written_by", program_name());
    if (s.saved_at != 0) out.whole("saved_at", std::uint64_t(s.saved_at));
    out.text("title", s.title);
    out.whole("step", s.run.state.step);
    out.whole("epoch", s.run.state.epoch);
    out.text("probe", s.run.probe);
    out.whole("focus", s.run.focus);
    if (s.run.history) out.text("gate_probe", s.run.history->gate_probe);
    std::string devices;
    for (const std::string& device : s.devices) devices += (devices.empty() ? "" : ", ") + json_quote(device);
    out.put("devices", "[" + devices + "]");
    const SessionScene& scene = s.scene;
    if (!scene.lesson.empty()) {
        ObjectText lesson;
        lesson.text("id", scene.lesson);
        lesson.whole("step", scene.lesson_step);
        std::string guesses;
        for (const std::optional<int>& guess : scene.guesses)
            guesses += (guesses.empty() ? "" : ", ") + (guess ? std::to_string(*guess) : std::string("null"));
        lesson.put("guesses", "[" + guesses + "]");
        out.put("lesson", lesson.done());
    }
    out.real("speed", scene.speed);
    if (scene.expert) out.whole("expert", *scene.expert);
    if (scene.looked_at) out.whole("looked_at", *scene.looked_at);
    if (scene.stepping) {
        ObjectText stepping;
        stepping.whole("step", scene.stepping->step);
        stepping.text("op", scene.stepping->op);
        stepping.whole("example", scene.stepping->example);
        out.put("stepping", stepping.done());
    }
    if (s.place) {
        ObjectText place;
        place.text("file", s.place->file);
        place.whole("step", s.place->step);
        place.put("time", std::to_string(s.place->time));
        place.whole("bytes", s.place->bytes);
        out.put("place", place.done());
    }
    if (!text_elsewhere.empty()) out.text("text", text_elsewhere);
    return out.done();
}

/// Fields that may be missing keep their defaults; those that are there must be what they ought to be.
class SessionJson {
public:
    SessionJson(std::string name, Json json) : name_(std::move(name)), json_(std::move(json)) {}

    const Json* find(const Json& in, const char* key) const {
        const auto found = in.find(key);
        return found == in.end() || found->is_null() ? nullptr : &*found;
    }
    std::string text(const Json& in, const char* key) const {
        const Json* value = find(in, key);
        if (value && !value->is_string()) refuse(key);
        return value ? value->get<std::string>() : std::string();
    }
    std::uint64_t whole(const Json& in, const char* key) const {
        const Json* value = find(in, key);
        return value ? json_whole(*value, any_signed, key, name_) : 0;
    }
    std::int64_t time(const Json& in, const char* key) const {
        const Json* value = find(in, key);
        if (value && !value->is_number_integer()) refuse(key);
        return value ? value->get<std::int64_t>() : 0;
    }
    double real(const Json& in, const char* key) const {
        const Json* value = find(in, key);
        return value ? json_real(*value, key, name_) : 0;
    }
    [[noreturn]] void refuse(const std::string& key) const {
        throw Error("'" + name_ + "': " + session_member + " cannot be read, its \"" + key +
                    "\" is not what belongs there.");
    }
    const Json& all() const { return json_; }
    const std::string& name() const { return name_; }

private:
    std::string name_;
    Json json_;
};

SessionScene read_scene(const SessionJson& in) {
    SessionScene scene;
    if (const Json* lesson = in.find(in.all(), "lesson")) {
        if (!lesson->is_object()) in.refuse("lesson");
        scene.lesson = in.text(*lesson, "id");
        scene.lesson_step = in.whole(*lesson, "step");
        if (const Json* guesses = in.find(*lesson, "guesses")) {
            if (!guesses->is_array() || guesses->size() > most_guesses) in.refuse("guesses");
            for (const Json& guess : *guesses)
                scene.guesses.push_back(guess.is_null() ? std::optional<int>()
                                                        : int(json_whole(guess, most_guesses, "a guess", in.name())));
        }
    }
    scene.speed = in.real(in.all(), "speed");
    if (in.find(in.all(), "expert")) scene.expert = in.whole(in.all(), "expert");
    if (in.find(in.all(), "looked_at")) scene.looked_at = in.whole(in.all(), "looked_at");
    if (const Json* stepping = in.find(in.all(), "stepping")) {
        if (!stepping->is_object()) in.refuse("stepping");
        scene.stepping = {in.whole(*stepping, "step"), in.text(*stepping, "op"), in.whole(*stepping, "example")};
    }
    return scene;
}

/// What a session says beside its run.
void read_surroundings(const ZipReader& archive, const SessionJson& in, LoadedSession& to) {
    to.title = in.text(in.all(), "title");
    to.saved_at = in.time(in.all(), "saved_at");
    to.scene = read_scene(in);
    if (const Json* devices = in.find(in.all(), "devices")) {
        if (!devices->is_array() || devices->size() > most_guesses) in.refuse("devices");
        for (const Json& device : *devices) {
            if (!device.is_string()) in.refuse("devices");
            to.devices.push_back(device.get<std::string>());
        }
    }
    if (const Json* place = in.find(in.all(), "place")) {
        if (!place->is_object()) in.refuse("place");
        to.place = SavedPlace{in.text(*place, "file"), in.whole(*place, "step"), in.time(*place, "time"),
                              in.whole(*place, "bytes")};
    }
    if (archive.has(notes_member)) to.scene.notes = archive.read(notes_member, largest_notes);
    if (archive.has(window_member)) to.scene.arrangement = archive.read(window_member, largest_window);
}

/// What only holds on the text that the run was trained on: its curves, its past, the phrase that was looked at.
void read_run_on_text(const ZipReader& archive, const SessionJson& in, const RunState& state, SessionSetup& to) {
    to.probe = in.text(in.all(), "probe");
    to.focus = in.whole(in.all(), "focus");
    if (archive.has(history_member))
        to.history = unpack_history(archive.read(history_member, largest_history),
                                    archive.name() + ": " + history_member, state, in.text(in.all(), "gate_probe"));
    to.timeline = unpack_timeline(archive, state, to.corpus->examples());
}

/// The text that an autosave keeps in a file of its own.
void read_text_beside(const std::filesystem::path& file, const std::string& text, SavedModel& model) {
    const std::filesystem::path beside = file.parent_path() / std::filesystem::path(text).filename();
    const ZipReader archive = ZipReader::on_disk(beside, beside.string());
    model.corpus_text = archive.read(corpus_member, largest_corpus);
    model.tokenizer =
        read_tokenizer_json(archive.read(tokenizer_member, largest_tokenizer), beside.string() + ": tokenizer.json");
}

}  // namespace

SavedModel model_of(const SavedRun& run) {
    SavedModel model;
    model.state = run.state;
    model.tokenizer = run.corpus->tokenizer();
    model.corpus_name = run.corpus->name();
    model.corpus_text = run.corpus->text();
    model.complete = true;
    return model;
}

std::string pack_session(const WholeSession& session, std::size_t checkpoint_budget,
                         const std::string& text_elsewhere) {
    const SavedRun& run = session.run;
    if (!run.corpus) throw Error("There is no session to save; open a lesson or a text first.");
    SavedModel model = model_of(run);
    if (!text_elsewhere.empty()) model.tokenizer.reset(), model.corpus_text.clear();
    std::vector<ZipMember> more;
    // The limits of the reader: what is written can be opened.
    const auto add = [&more](const char* member, std::string bytes, std::size_t most, const char* what,
                             const char* advice) {
        if (bytes.size() > most)
            throw Error(std::string("The session cannot be saved: ") + what + " would take " +
                        with_commas(bytes.size()) + " bytes where a file holds " + with_commas(most) + "; " + advice);
        more.push_back({member, std::move(bytes)});
    };
    add(session_member, session_json(session, text_elsewhere), largest_session, "its title, phrase and lesson",
        "look at a shorter phrase, then save again.");
    if (run.history)
        add(history_member, pack_history(*run.history), largest_history, "its curves",
            "look at a shorter phrase, then save again.");
    if (run.timeline)
        for (ZipMember& member : pack_timeline(*run.timeline, checkpoint_budget)) more.push_back(std::move(member));
    if (!session.scene.notes.empty())
        add(notes_member, session.scene.notes, largest_notes, "its notes", "shorten them, then save again.");
    // Where docks stand is not worth refusing to save.
    if (!session.scene.arrangement.empty() && session.scene.arrangement.size() <= largest_window)
        more.push_back({window_member, session.scene.arrangement});
    return write_keras(model, std::move(more));
}

std::string pack_text(const Corpus& corpus) {
    return write_zip({{corpus_member, corpus.text()}, {tokenizer_member, write_tokenizer_json(corpus.tokenizer())}});
}

void save_session(const std::filesystem::path& file, const WholeSession& session) {
    write_file(file, pack_session(session));
}

LoadedSession load_session(const std::filesystem::path& path, const H5Program& program,
                           const std::shared_ptr<const Corpus>& present) {
    LoadedSession loaded;
    ModelArchive opened = load_model_archive(path, program);
    SavedModel& model = opened.model;
    const std::string file = path.filename().string();
    std::optional<SessionJson> in;
    if (opened.session) {
        in.emplace(opened.archive->name(), std::move(*opened.session));
        if (const std::string text = in->text(in->all(), "text"); !text.empty()) read_text_beside(path, text, model);
        read_surroundings(*opened.archive, *in, loaded);
    }
    SessionSetup& setup = loaded.setup;
    loaded.remarks = model.remarks;
    const ModelSpec& spec = model.state.experiment.model;
    if (!model.corpus_text.empty()) {
        setup.corpus = model.tokenizer ? Corpus::from_text(model.corpus_name, model.corpus_text, *model.tokenizer)
                                       : Corpus::from_text(model.corpus_name, model.corpus_text);
        if (in) read_run_on_text(*opened.archive, *in, model.state, setup);
        loaded.whole = in.has_value();
    } else if (present && (model.tokenizer || present->tokenizer().vocabulary() == spec.vocabulary)) {
        setup.corpus =
            model.tokenizer ? Corpus::from_text(present->name(), present->text(), *model.tokenizer) : present;
        loaded.remarks.push_back("'" + file + "' carries no text, so it opens as a model alone, on the present text (" +
                                 present->name() + ").");
        // An epoch of this text begins: its mean counts no example of another one.
        model.state.next_example = 0;
        model.state.sums = {};
        model.state.load_sums.clear();
    } else {
        throw Error("'" + file + "' carries " +
                    (model.tokenizer ? "no text; open the text that it was trained on first."
                                     : "neither its words nor its text, and the present text has another vocabulary; "
                                       "open the text that it was trained on first."));
    }
    setup.experiment = model.state.experiment;
    setup.state = std::move(model.state);
    return loaded;
}

SessionSummary summarize_session(const std::filesystem::path& file) {
    const ZipReader archive = open_keras_archive(file);
    const SessionJson in(archive.name(), read_session_json(archive));
    return {in.text(in.all(), "title"), in.time(in.all(), "saved_at"), in.whole(in.all(), "step"),
            in.whole(in.all(), "epoch")};
}

std::string device_remark(const std::vector<std::string>& devices, const std::string& here) {
    std::string others;
    for (const std::string& device : devices)
        if (device != here && others.find(device) == std::string::npos)
            others += (others.empty() ? "" : " and ") + device;
    if (others.empty()) return {};
    return "This run was trained on " + others + ", and this is " + here +
           ": what is replayed or trained here may differ from it in the last bits.";
}

}  // namespace moe
