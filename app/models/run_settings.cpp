#include "app/models/run_settings.h"

#include "app/models/moment_text.h"
#include "app/models/text_format.h"
#include "engine/core/activation.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"

#include <QCoreApplication>

#include <algorithm>
#include <numeric>

namespace moe::app {

namespace {

QString say(const char* text) {
    return QCoreApplication::translate("Settings", text);
}

QString number(double value) {
    return QString::fromStdString(to_text(value));
}

}  // namespace

QString gateName(const ModelSpec& spec) {
    if (spec.router == "soft") return say("soft (all run)");
    if (spec.router == "top_k") return say("top %1 of %2").arg(spec.top_k).arg(spec.num_experts);
    return QString::fromStdString(spec.router);
}

QString activationName(const ModelSpec& spec) {
    const std::string_view title = activation_named(spec.activation).title;
    return spec.activation == "linear" ? say("linear") : QString::fromUtf8(title.data(), qsizetype(title.size()));
}

Experiment presentExperiment(const Snapshot& snapshot) {
    Experiment experiment = snapshot.experiment;
    if (snapshot.target_epochs > 0) experiment.train.epochs = snapshot.target_epochs;
    return experiment;
}

std::vector<RunSetting> runSettings(const Snapshot& snapshot, const QString& corpusName) {
    const ModelSpec& model = snapshot.experiment.model;
    const TrainSpec& train = snapshot.experiment.train;
    std::vector<RunSetting> lines;
    if (!corpusName.isEmpty()) lines.push_back({say("corpus"), shownText(corpusName)});
    if (routes_tokens(model)) lines.push_back({say("family"), say("each word is routed")});
    lines.push_back({say("experts"), countText(model.num_experts)});
    lines.push_back({say("gate"), gateName(model)});
    lines.push_back({say("vocabulary"), countText(model.vocabulary)});
    lines.push_back({say("longest phrase"), countText(model.max_seq_len)});
    lines.push_back({say("embedding width"), countText(model.embedding_dim)});
    lines.push_back({say("hidden width"), countText(model.hidden_dim)});
    lines.push_back({say("activation"), activationName(model)});
    lines.push_back({say("padding"), model.mask_zero ? say("left out of the mean") : say("counted in the mean")});
    lines.push_back({say("learning rate"), number(train.learning_rate)});
    lines.push_back({say("batch"), countText(train.batch_size)});
    lines.push_back({say("balance loss"), model.balance_loss > 0 ? number(model.balance_loss) : say("off")});
    lines.push_back({say("seed"), QString::number(train.seed)});
    lines.push_back({say("epoch"), countText(snapshot.epoch)});
    lines.push_back({say("step"), isPast(snapshot)
                                      ? say("%1 of %2").arg(countText(snapshot.step), countText(newestStep(snapshot)))
                                      : countText(snapshot.step)});
    return lines;
}

std::vector<std::size_t> shownExperts(const std::vector<float>& load, std::size_t room, const std::size_t* keep) {
    std::vector<std::size_t> order(load.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    if (order.size() <= room) return order;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return load[a] > load[b]; });
    const auto end = order.begin() + std::ptrdiff_t(room);
    if (keep && *keep < load.size() && room > 0 && std::find(order.begin(), end, *keep) == end) order[room - 1] = *keep;
    order.resize(room);
    return order;
}

std::vector<float> presentLoad(const Snapshot& snapshot) {
    if (!snapshot.load.empty()) return snapshot.load;
    const History* history = snapshot.history.get();
    // At step 0 of a run that went on nothing was trained: its history is that of later.
    if (!history || isPast(snapshot) || history->points.empty() || history->num_experts == 0) return {};
    return {history->load.end() - std::ptrdiff_t(history->num_experts), history->load.end()};
}

}  // namespace moe::app
