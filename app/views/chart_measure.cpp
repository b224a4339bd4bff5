#include "app/views/chart_measure.h"

#include "app/models/moment_text.h"
#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "engine/core/family.h"

#include <QEvent>
#include <QStringList>

#include <algorithm>

namespace moe::app {

namespace {

constexpr int milliseconds_between_refreshes = 33;

}  // namespace

MeasureView::MeasureView(SessionController& session, QWidget* parent) : View(session, parent) {
    later_.setSingleShot(true);
    connect(&later_, &QTimer::timeout, this, &MeasureView::refreshNow);
    connect(&session, &SessionController::valuesChanged, this, [this] { display(session_.sharedSnapshot()); });
    connect(&session, &SessionController::structureChanged, this, [this] { display(session_.sharedSnapshot()); });
    connect(&session, &SessionController::focusChanged, this, [this] {
        takeFocus();
        refreshSoon();
    });
    connect(&session, &SessionController::liveChanged, this, [this] {
        if (session_.lookedAt()) refreshSoon();
    });
    newest_ = session.sharedSnapshot();
    adopt();
}

void MeasureView::display(std::shared_ptr<const Snapshot> snapshot) {
    newest_ = std::move(snapshot);
    foreign_ = newest_ != session_.sharedSnapshot();
    refreshSoon();
}

void MeasureView::adopt() {
    snapshot_ = shown_ = newest_;
    const Snapshot& live = session_.live();
    if (isSession() && isPast(*shown_) && live.generation == shown_->generation && live.step >= shown_->step) {
        auto grown = std::make_shared<Snapshot>(*shown_);
        grown->history = live.history;
        grown->newest_step = live.step;
        snapshot_ = std::move(grown);
    }
    takeFocus();
}

void MeasureView::takeFocus() {
    // The session knows a click before its snapshot does.
    const std::size_t prefixes = snapshot_->probe.prefix_words.size();
    prefix_ = shown_ == session_.sharedSnapshot() ? session_.focusedPrefix() : snapshot_->probe.focus;
    if (prefix_ >= prefixes) prefix_ = prefixes ? prefixes - 1 : 0;
    expert_ = session_.focusedExpert();
    if (expert_ && *expert_ >= numExperts()) expert_.reset();
}

void MeasureView::refreshSoon() {
    stale_ = true;
    // A tab behind another one counts as visible to Qt: it lies beside the window.
    if (!isVisible() || visibleRegion().isEmpty()) {
        adopt();  // the table is always the newest
        return;
    }
    // What is on the screen and the layout that it was drawn by stay together until the next refresh.
    if (later_.isActive()) return;
    const qint64 wait = since_refresh_.isValid() ? milliseconds_between_refreshes - since_refresh_.elapsed() : 0;
    if (wait <= 0)
        refreshNow();
    else
        later_.start(int(wait));
}

void MeasureView::refreshNow() {
    stale_ = false;
    adopt();
    since_refresh_.start();
    refresh();
    const QString header = title() + u'\n' + scope() + u'\n' + value();
    if (header != header_) {
        header_ = header;
        setAccessibleName(title());
        Q_EMIT headerChanged();
    }
    if (const QString text = summary(); text != accessibleDescription()) setAccessibleDescription(text);
    update();
}

void MeasureView::ensureFresh() {
    if (stale_ && !later_.isActive()) refreshNow();
}

void MeasureView::uncovered() {
    if (stale_ && isVisible()) refreshNow();
}

void MeasureView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    if (stale_) refreshNow();
}

void MeasureView::changeEvent(QEvent* event) {
    View::changeEvent(event);
    if (event->type() == QEvent::LanguageChange) refreshSoon();
}

QString MeasureView::atMoment(const QString& scope) const {
    if (!isPast(*snapshot_)) return scope;
    const QString step = tr("step %1").arg(countText(snapshot_->step));
    return scope.isEmpty() ? step : scope + QStringLiteral(", ") + step;
}

QString MeasureView::onButton(const LabelBook& labels, const QWidget& button) {
    if (button.isVisible())
        for (const LabelBook::Label& label : labels.labels())
            if (label.rect.adjusted(0, 3, 0, -3).intersects(QRectF(button.geometry())))
                return label.text + QStringLiteral(" on the button");
    return {};
}

QColor MeasureView::expertColor(std::size_t expert) const {
    return numExperts() <= max_coloured_experts || expert_ == expert ? theme_.expert(expert) : theme_.muted;
}

bool MeasureView::isChosen(std::size_t expert) const {
    const std::vector<float>& weights = snapshot_->probe.gate_weights;
    const std::size_t E = numExperts(), at = prefix_ * E + expert;
    if (snapshot_->experiment.model.router == "soft" || (prefix_ + 1) * E > weights.size()) return false;
    return weights[at] > 0;
}

QString MeasureView::routedText(std::size_t prefix) const {
    const ProbeForward& probe = snapshot().probe;
    if (!routes_tokens(snapshot().experiment.model) || prefix >= probe.prefix_words.size()) return prefixText(prefix);
    return shownText(probe.words[probe.prefix_words[prefix]].text);
}

QString MeasureView::prefixText(std::size_t prefix) const {
    const ProbeForward& probe = snapshot_->probe;
    QStringList words;
    for (std::size_t p = 0; p <= prefix && p < probe.prefix_words.size(); ++p)
        words << shownText(probe.words[probe.prefix_words[p]].text);
    return words.join(u' ');
}

}  // namespace moe::app
