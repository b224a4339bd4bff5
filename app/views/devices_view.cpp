#include "app/views/devices_view.h"

#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "app/views/race_chart.h"
#include "app/views/role_label.h"

#include <QAccessible>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>

#include <algorithm>

namespace moe::app {

namespace {

constexpr int poll_milliseconds = 80;
constexpr int lines_below = 4;  // of text, so that the picture keeps its size while they come and go

}  // namespace

DevicesView::DevicesView(SessionController& session, QWidget* parent) : View(session, parent) {
    const auto label = [this](const char* role) { return roleLabel(role, this); };
    prompt_ = label("heading");
    chart_ = new RaceChart(this);
    reading_ = label("caption");
    reading_->setWordWrap(false);
    said_ = label("label");
    said_->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    done_ = label("caption");
    done_->setWordWrap(false);
    progress_ = new QProgressBar(this);
    progress_->setTextVisible(false);
    progress_->setAccessibleName(tr("Progress of the measurement"));
    QSizePolicy policy = progress_->sizePolicy();
    policy.setRetainSizeWhenHidden(true);
    progress_->setSizePolicy(policy);
    measure_ = new QPushButton(tr("Measure"), this);
    measure_->setProperty("role", QStringLiteral("primary"));
    measure_->setObjectName(QStringLiteral("devices_measure"));
    again_ = new QPushButton(tr("New guess"), this);
    again_->setProperty("role", QStringLiteral("quiet"));
    for (QPushButton* b : {measure_, again_}) b->setFocusPolicy(Qt::TabFocus);

    grid_ = new QGridLayout;
    grid_->setSpacing(4);
    auto* foot = new QHBoxLayout;
    foot->setSpacing(8);
    foot->addWidget(measure_);
    foot->addWidget(again_);
    foot->addWidget(done_, 1);
    auto* rows = new QVBoxLayout(this);
    rows->setContentsMargins(0, 4, 0, 0);
    rows->setSpacing(8);
    rows->addWidget(prompt_);
    rows->addLayout(grid_);
    rows->addWidget(chart_, 1);
    rows->addWidget(reading_);
    rows->addWidget(said_);
    rows->addWidget(progress_);
    rows->addLayout(foot);
    setFocusProxy(chart_);

    clock_.setInterval(poll_milliseconds);
    connect(&clock_, &QTimer::timeout, this, &DevicesView::poll);
    connect(measure_, &QPushButton::clicked, this, [this] { measuring() ? stop() : measure(); });
    connect(again_, &QPushButton::clicked, this, &DevicesView::forget);
    connect(chart_, &RaceChart::readingChanged, this, &DevicesView::showReading);
    connect(&session_, &SessionController::devicesChanged, this, &DevicesView::ask);
    connect(&session_, &SessionController::liveChanged, this, &DevicesView::followLive);
    connect(&session_, &SessionController::structureChanged, this, &DevicesView::refresh);
    ask();
}

// The picture still says that the keys leave it when it goes.
DevicesView::~DevicesView() {
    chart_->disconnect(this);
}

QWidget& DevicesView::picture() {
    return *chart_;
}

// What the measurement is of, which need not be what is on the screen now; the axis is the width.
std::optional<PictureNotes> DevicesView::pictureNotes() const {
    const Experiment& of = contest_.begun() ? measured_ : session_.live().experiment;
    PictureNotes notes;
    QStringList said{whatText(of) + u'.'};
    if (contest_.begun()) {
        const QString cpu = contest_.nameOf("cpu"), gpu = contest_.nameOf("cuda");
        said << results();
        said << (contest_.two() ? tr("Rings: %1; squares: %2.").arg(cpu, gpu) : tr("Rings: %1.").arg(cpu));
    }
    if (before_.begun()) said << tr("Dashed: %1, measured before.").arg(before_what_);
    said.removeAll(QString());
    notes.subtitle = said.join(u' ');
    notes.settings = {tr("experts %1").arg(countText(of.model.num_experts)), tr("gate %1").arg(gateName(of.model)),
                      tr("batch %1").arg(countText(of.train.batch_size)),
                      tr("vocabulary %1").arg(countText(of.model.vocabulary)),
                      tr("longest phrase %1").arg(countText(of.model.max_seq_len))};
    return notes;
}

// In sentences, and no word about what anybody guessed.
QStringList DevicesView::results() const {
    QStringList words{contest_.two() ? contest_.crossingText() : contest_.slowdownText()};
    // Of two devices the sentence says it itself.
    if (!contest_.complete() && words[0].isEmpty()) words << tr("Not all widths were measured.");
    words << contest_.notMeasuredText();
    return words;
}

void DevicesView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    refresh();
    if (session_.devices().empty()) session_.findDevices();
}

// What can be guessed depends on whether there is a GPU to win.
void DevicesView::ask() {
    std::optional<ContestQuestion> question;
    if (!session_.devices().empty())
        question = session_.hasGpu() ? ContestQuestion::crossing : ContestQuestion::slowdown;
    if (question != question_) {
        question_ = question;
        guess_ = -1;
        of_another_ = false;
        for (QPushButton* b : choices_) delete b;
        choices_.clear();
        columns_ = 0;
        const QStringList names = question ? DeviceContest::choices(*question) : QStringList();
        for (int i = 0; i < names.size(); ++i) {
            auto* b = new QPushButton(names[i], this);
            b->setProperty("role", QStringLiteral("option"));
            b->setCheckable(true);
            b->setFocusPolicy(Qt::TabFocus);
            b->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);  // the rows follow the panel, not it them
            connect(b, &QPushButton::clicked, this, [this, i] { guess(i); });
            choices_.push_back(b);
        }
        placeChoices();
    }
    refresh();
}

void DevicesView::placeChoices() {
    const int count = int(choices_.size());
    if (count == 0) return;
    int widest = 0;
    for (QPushButton* b : choices_) {
        b->ensurePolished();
        widest = std::max(widest, b->sizeHint().width());
    }
    const auto fits = [&](int columns) { return columns * (widest + grid_->spacing()) <= width() + grid_->spacing(); };
    const int columns = fits(count) ? count : fits((count + 1) / 2) ? (count + 1) / 2 : 2;
    if (columns == columns_) return;
    for (int i = 0; i < count; ++i) grid_->setColumnStretch(i, i < columns ? 1 : 0);
    columns_ = columns;
    for (int i = 0; i < count; ++i) {
        grid_->addWidget(choices_[std::size_t(i)], i / columns, i % columns);
        choices_[std::size_t(i)]->show();
    }
}

void DevicesView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    placeChoices();
}

void DevicesView::themeChanged() {
    const int line = int(std::ceil(QFontMetricsF(theme_.font(12.5)).lineSpacing()));
    said_->setMinimumHeight(lines_below * line);
    reading_->setFixedHeight(int(std::ceil(QFontMetricsF(theme_.font(11)).height())));
    done_->setFixedHeight(reading_->height());
    grid_->setSpacing(int(theme_.px(4)));
    layout()->setSpacing(int(theme_.px(8)));
    placeChoices();
    refresh();
}

void DevicesView::guess(int choice) {
    if (measuring() || contest_.begun()) return;
    guess_ = choice;
    guessed_ = session_.live().experiment;
    refresh();
}

void DevicesView::measure() {
    if (measuring() || !session_.corpus() || session_.live().state == SessionState::empty) return;
    rested_ = session_.live().state != SessionState::running;
    remark_.clear();
    if (contest_.complete()) {
        before_ = contest_;
        before_what_ = whatText(measured_);
    }
    session_.pause();
    measured_ = session_.live().experiment;
    of_another_ = guess_ >= 0 && !sameModel(guessed_, measured_);
    race_.start(measured_, session_.corpus(), widths_, session_.backend());
    clock_.start();
    poll();
}

void DevicesView::stop() {
    race_.stop();
}

void DevicesView::forget() {
    if (measuring()) return;
    contest_ = before_ = {};
    guess_ = -1;
    of_another_ = false;
    remark_.clear();
    refresh();
}

void DevicesView::poll() {
    contest_ = DeviceContest(race_.state());
    if (!measuring()) {
        clock_.stop();
        session_.findDevices();
    }
    refresh();
}

// Both would share the machine, and neither number would be worth anything.
void DevicesView::followLive() {
    const bool running = session_.live().state == SessionState::running;
    if (measuring() && rested_ && running) {
        remark_ = tr("Training went on: the measurement was ended.");
        stop();
    }
    if (!running) rested_ = true;
    // A frame of training costs nothing here.
    const bool any = session_.live().state != SessionState::empty;
    if (measure_->isEnabled() != any || (isVisible() && scope() != scope_)) refresh();
}

bool DevicesView::sameModel(Experiment a, const Experiment& b) {
    a.model.embedding_dim = b.model.embedding_dim;
    a.model.hidden_dim = b.model.hidden_dim;
    const bool same_batch = a.train.batch_size == b.train.batch_size;
    a.train = b.train;
    return same_batch && a == b;
}

bool DevicesView::ofThisModel() const {
    return sameModel(session_.live().experiment, measured_);
}

QString DevicesView::scope() const {
    const Experiment& shown = contest_.begun() ? measured_ : session_.live().experiment;
    if (session_.live().state == SessionState::empty) return {};
    return contest_.begun() && !ofThisModel() ? tr("before: %1").arg(whatText(shown)) : whatText(shown);
}

QString DevicesView::whatText(const Experiment& experiment) {
    const ModelSpec& m = experiment.model;
    const QString experts = m.router == "soft"
                                ? tr("%1 experts").arg(countText(m.num_experts))
                                : tr("%1 of %2 experts").arg(countText(m.top_k), countText(m.num_experts));
    return tr("%1, batch %2").arg(experts, countText(experiment.train.batch_size));
}

QString DevicesView::said() const {
    return said_->text();
}

Table DevicesView::table() const {
    Table table = contest_.table(title());
    if (question_ && validGuess() >= 0)
        table.notes.push_back(tr("guess: %1").arg(DeviceContest::choices(*question_).value(guess_)));
    return table;
}

void DevicesView::showReading() {
    const auto read = chart_->reading();
    reading_->setText(read              ? contest_.readingText(*read)
                      : before_.begun() ? tr("dashed: %1, measured before").arg(before_what_)
                                        : QString());
    chart_->setAccessibleDescription(read ? contest_.readingText(*read) : contest_.spoken());
}

void DevicesView::refresh() {
    const RaceState& state = contest_.state();
    const bool crossing = question_ == ContestQuestion::crossing;
    prompt_->setText(!question_ ? tr("Looking for a GPU…")
                     : crossing ? tr("From which width on will the GPU win?")
                                : tr("How many times slower is width 1,024 than 16?"));
    for (std::size_t i = 0; i < choices_.size(); ++i) {
        choices_[i]->setChecked(int(i) == validGuess());
        choices_[i]->setEnabled(!measuring() && !contest_.begun());
    }
    QStringList words;
    if (!state.failure.empty()) words << QString::fromStdString(state.failure);
    if (!remark_.isEmpty()) words << remark_;
    if (!contest_.begun() && words.isEmpty() && !measuring())
        words << (guess_ < 0
                      ? tr("Guess first. Then copies of this model, narrow to wide, train for half a second each.")
                      : tr("Copies of this model, narrow to wide, train for half a second each."));
    if (measuring()) {
        words << contest_.progressText() << contest_.notMeasuredText();
    } else if (contest_.begun()) {
        words << results();
        if (question_ && validGuess() >= 0)
            words << contest_.verdict(*question_, guess_);
        else if (contest_.complete())
            words << (of_another_ ? tr("Your guess was of another model: it is not judged.")
                                  : tr("It was measured without a guess."));
    }
    QString why = contest_.whyNoGpu();
    if (!contest_.begun() && question_ == ContestQuestion::slowdown)
        for (const DeviceInfo& device : session_.devices())
            if (device.id != "cpu") why = QString::fromStdString(device.why_off);
    if (!why.isEmpty()) words << tr("The GPU is off. %1").arg(why);
    words.removeAll(QString());
    said_->setText(words.join(u' '));

    const double guessed = crossing && validGuess() >= 0 ? DeviceContest::choiceValue(*question_, guess_) : 0;
    chart_->show(contest_, before_, guessed, theme_);
    chart_->setAccessibleName(tr("Steps per second over the width of the model"));
    showReading();

    progress_->setVisible(measuring());
    progress_->setRange(0, std::max(1, int(state.planned)));
    progress_->setValue(int(state.measured));
    done_->setText(measuring() ? tr("%1 of %2").arg(state.measured).arg(state.planned) : QString());
    measure_->setText(measuring() ? tr("Stop") : contest_.begun() ? tr("Measure again") : tr("Measure"));
    again_->setVisible(contest_.begun() && !measuring());
    measure_->setEnabled(session_.live().state != SessionState::empty);
    setAccessibleName(title());
    setAccessibleDescription(said_->text());
    if (scope() == scope_) return;
    scope_ = scope();
    Q_EMIT headerChanged();
}

}  // namespace moe::app
