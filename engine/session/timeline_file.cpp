#include "engine/session/timeline_file.h"

#include "engine/core/checked.h"
#include "engine/core/numbers.h"
#include "engine/core/settings.h"
#include "engine/formats/keras_archive.h"
#include "engine/formats/safetensors.h"
#include "engine/formats/strangers_text.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe {

namespace {

constexpr const char *commands_member = "moe-lab/commands.json",
                     *checkpoints_member = "moe-lab/checkpoints.safetensors";
constexpr std::uint64_t commands_version = 1;
constexpr std::size_t largest_commands = std::size_t(1) << 24, most_checkpoints = 16'384;
// Columns of the arrays below.
constexpr std::size_t places = 3, sums = 2, counts = 2, records = 4, filled = 2;

std::shared_ptr<const Timeline> thinned(const Timeline& timeline, std::size_t budget) {
    TimelineBuilder builder;
    builder.resume(timeline);
    budget = std::min(budget, file_checkpoint_budget);
    builder.set_budget(budget);
    // Of a tiny model the budget holds more than the header of a file can list.
    while (builder.use().count > most_checkpoints) builder.set_budget(budget /= 2);
    return builder.share();
}

/// What an honest file of such a model holds at most: a short array takes its whole width, the first checkpoint is
/// always there.
std::size_t largest_checkpoints(const ModelSpec& model) {
    const std::size_t one = checked_sum("A checkpoint", {checked_product("A checkpoint", {12, parameter_count(model)}),
                                                         12 * model.num_experts, sizeof(Checkpoint)});
    return checked_sum("The checkpoints", {2 * file_checkpoint_budget, one, largest_safetensors_header});
}

/// Throws UsageError where nobody can have given that command.
void check_command(const std::string& key, double value) {
    constexpr double end = 18446744073709551616.0;  // 2^64; where "finished" is, counts epochs of several runs
    const bool whole = value >= 0 && value <= end && std::floor(value) == value;
    if (key == "epochs" && whole) return;
    if (key != "learning_rate" && key != "batch_size" && key != "balance_loss" && key != "epochs")
        throw UsageError("The setting " + strangers_text(key) + " cannot be changed while a model is trained.");
    Experiment tried;
    apply_setting(tried, key, whole && value < end ? std::to_string(std::uint64_t(value)) : to_text(value));
}

std::string commands_json(const Timeline& timeline) {
    std::string text = "{\"format\": \"moe-lab commands\", \"version\": " + std::to_string(commands_version) +
                       ", \"start\": " + settings_json(timeline.start) +
                       ", \"start_epochs\": " + std::to_string(timeline.start_target) +
                       ", \"checkpoint_interval\": " + std::to_string(timeline.interval) + ", \"commands\": [";
    bool first = true;
    for (const TimedCommand& command : timeline.log) {
        text += (first ? "[" : ", [") + std::to_string(command.step) + ", " + json_quote(command.key) + ", " +
                json_number(command.value) + "]";
        first = false;
    }
    return text + "]}";
}

std::string checkpoints_bytes(const Timeline& timeline) {
    const std::size_t n = timeline.checkpoints.size(), E = timeline.start.model.num_experts;
    std::vector<std::uint64_t> place, count;
    std::vector<double> sum, last, load_sums;
    std::vector<float> load;
    std::vector<std::uint32_t> flags;
    for (const auto& c : timeline.checkpoints) {
        place.insert(place.end(), {c->step, c->epoch, c->next_example});
        sum.insert(sum.end(), {c->sums.loss, c->sums.balance});
        count.insert(count.end(), {c->sums.correct, c->sums.examples});
        const EpochRecord record = c->last.value_or(EpochRecord());
        last.insert(last.end(), {c->last ? 1.0 : 0.0, record.loss, record.accuracy, record.balance});
        flags.insert(flags.end(), {std::uint32_t(c->load_sums.size() == E), std::uint32_t(c->load.size() == E)});
        for (std::size_t e = 0; e < E; ++e) {
            load_sums.push_back(e < c->load_sums.size() ? c->load_sums[e] : 0);
            load.push_back(e < c->load.size() ? c->load[e] : 0);
        }
    }
    SafetensorsWriter writer;
    writer.add("step_epoch_example", {n, places}, std::span<const std::uint64_t>(place));
    writer.add("loss_balance_sums", {n, sums}, std::span<const double>(sum));
    writer.add("correct_examples", {n, counts}, std::span<const std::uint64_t>(count));
    writer.add("last_epoch", {n, records}, std::span<const double>(last));
    writer.add("has_load", {n, filled}, std::span<const std::uint32_t>(flags));
    writer.add("load_sums", {n, E}, std::span<const double>(load_sums));
    writer.add("load", {n, E}, std::span<const float>(load));
    for (std::size_t i = 0; i < n; ++i)  // parameters, m, v; none: the seed's own weights
        writer.add("values/" + std::to_string(i), {timeline.checkpoints[i]->values.size()},
                   std::span<const float>(timeline.checkpoints[i]->values));
    return writer.bytes();
}

}  // namespace

std::vector<ZipMember> pack_timeline(const Timeline& timeline, std::size_t budget) {
    const std::shared_ptr<const Timeline> kept = thinned(timeline, budget);
    std::string commands = commands_json(*kept);
    if (commands.size() > largest_commands) return {};  // half a million of them
    return {{commands_member, std::move(commands)}, {checkpoints_member, checkpoints_bytes(*kept)}};
}

std::shared_ptr<const Timeline> unpack_timeline(const ZipReader& archive, const RunState& present,
                                                std::size_t examples) {
    if (!archive.has(commands_member) || !archive.has(checkpoints_member)) return {};
    const std::string& name = archive.name();
    const auto check = [&](bool fine, const char* what) {
        if (!fine) throw Error("'" + name + "' contradicts itself: " + what + ".");
    };
    auto timeline = std::make_shared<Timeline>();
    const Json json = parse_json(archive.read(commands_member, largest_commands), name + ": " + commands_member);
    check_version(json, commands_version, name);
    const auto whole = [&](const Json& value, const char* what) {
        return json_whole(value, json_any_whole, what, name);
    };
    timeline->start = present.experiment;
    read_settings(json_field(json, "start", name), name, timeline->start);
    timeline->start_target = whole(json_field(json, "start_epochs", name), "start_epochs");
    timeline->interval = whole(json_field(json, "checkpoint_interval", name), "checkpoint_interval");
    for (const Json& command : json_field(json, "commands", name)) {
        check(command.is_array() && command.size() == 3 && command[1].is_string(), "a command is none");
        const TimedCommand read{whole(command[0], "a command's step"), command[1].get<std::string>(),
                                json_real(command[2], "a command's value", name)};
        try {
            check_command(read.key, read.value);
        } catch (const UsageError& error) {
            throw Error("'" + name + "': a command of its past cannot be read. " + error.what());
        }
        timeline->log.push_back(read);
    }

    const ModelSpec& model = present.experiment.model;
    const std::size_t E = model.num_experts;
    const std::string bytes = archive.read(checkpoints_member, largest_checkpoints(model));
    const SafetensorsReader reader(bytes, name + ": " + checkpoints_member);
    const auto place = reader.u64("step_epoch_example"), count = reader.u64("correct_examples");
    const auto sum = reader.doubles("loss_balance_sums"), last = reader.doubles("last_epoch"),
               load_sums = reader.doubles("load_sums");
    const auto flags = reader.u32("has_load");
    const auto load = reader.floats("load");
    const std::size_t n = place.size() / places;
    check(n > 0 && n <= most_checkpoints && place.size() == n * places && sum.size() == n * sums &&
              count.size() == n * counts && last.size() == n * records && flags.size() == n * filled &&
              load_sums.size() == n * E && load.size() == n * E,
          "its checkpoints are of different sizes");
    std::uint64_t epoch = 0;
    for (std::size_t i = 0; i < n; ++i) {
        auto c = std::make_shared<Checkpoint>();
        const auto at = [i](const auto& values, std::size_t width, std::size_t column) {
            return values[i * width + column];
        };
        c->step = at(place, places, 0), c->epoch = at(place, places, 1), c->next_example = at(place, places, 2);
        check(c->next_example < examples, "a checkpoint is beyond the end of its text");
        check(c->epoch >= epoch && c->epoch <= std::min(c->step, present.epoch),
              "a checkpoint is of another epoch than its step");
        epoch = c->epoch;
        c->sums = {at(sum, sums, 0), at(sum, sums, 1), at(count, counts, 0), at(count, counts, 1)};
        if (at(last, records, 0) != 0)
            c->last = EpochRecord{at(last, records, 1), at(last, records, 2), at(last, records, 3)};
        const auto row = std::ptrdiff_t(i * E), end = std::ptrdiff_t((i + 1) * E);
        if (at(flags, filled, 0)) c->load_sums.assign(load_sums.begin() + row, load_sums.begin() + end);
        if (at(flags, filled, 1)) c->load.assign(load.begin() + row, load.begin() + end);
        c->values = reader.floats("values/" + std::to_string(i));
        timeline->checkpoints.push_back(std::move(c));
    }
    check(timeline->leads_to(present.experiment, present.step), "its past does not lead to its present");
    return timeline;
}

}  // namespace moe
