#include "app/shell/corpus_dialog.h"

#include "app/models/text_format.h"
#include "app/shell/style.h"
#include "engine/core/atomic_file.h"
#include "engine/core/checked.h"
#include "engine/core/error.h"
#include "engine/core/settings.h"

#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include <chrono>
#include <cmath>

namespace moe::app {

namespace {

constexpr int typing_pause = 300;            // milliseconds
constexpr std::size_t preview_bytes = 4000;  // of an opened file
constexpr std::size_t largest_text = 512u << 20;
constexpr double measured_seconds = 0.2;

QString durationText(double seconds) {
    if (seconds < 0.001) return CorpusDialog::tr("less than a millisecond");
    if (seconds < 1) return CorpusDialog::tr("about %1 ms").arg(std::lround(seconds * 1000));
    if (seconds < 120) return CorpusDialog::tr("about %1 s").arg(QString::number(seconds, 'f', seconds < 10 ? 1 : 0));
    if (seconds < 7200) return CorpusDialog::tr("about %1 minutes").arg(std::lround(seconds / 60));
    return CorpusDialog::tr("about %1 hours").arg(std::lround(seconds / 3600));
}

double measureEpoch(const Experiment& experiment, const std::shared_ptr<const Corpus>& corpus,
                    const SessionOptions& options, std::uint64_t steps_per_epoch, const std::atomic<bool>& cancelled) {
    using Clock = std::chrono::steady_clock;
    SessionOptions unlimited = options;
    unlimited.speed_limit = 0;
    TrainingSession session(unlimited);
    SessionSetup setup;
    setup.experiment = experiment;
    setup.experiment.train.epochs = 1'000'000;
    setup.experiment.train.learning_rate = 1e-6;  // costs what any does, and never ends in a divergence
    setup.corpus = corpus;
    session.open(std::move(setup));
    session.run_steps(1);
    session.wait();
    std::uint64_t steps = 0;
    const auto start = Clock::now();
    for (std::uint64_t batch = 1; !cancelled; batch *= 2) {
        session.run_steps(batch);
        session.wait();
        steps += batch;
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (seconds >= measured_seconds) return seconds / double(steps) * double(steps_per_epoch);
    }
    return 0;
}

QString nameOf(const std::filesystem::path& path) {
    return QString::fromStdString(path.filename().string());
}

}  // namespace

CorpusFacts examineCorpus(const QString& name, const std::string& bytes, const Experiment& experiment,
                          const SessionOptions& options, const std::atomic<bool>& cancelled) {
    CorpusFacts facts;
    facts.corpus = Corpus::from_text(name.toStdString(), bytes);
    if (cancelled) return facts;
    const Experiment wanted = withoutCorpus(experiment);
    validate(resolvedFor(wanted, *facts.corpus), options.memory_limit ? options.memory_limit : default_memory_limit());
    facts.cost = costOf(wanted, *facts.corpus);
    facts.seconds_per_epoch = measureEpoch(wanted, facts.corpus, options, facts.cost.steps_per_epoch, cancelled);
    return facts;
}

CorpusDialog::CorpusDialog(Experiment experiment, SessionOptions options, Background& background, QWidget* parent)
    : QDialog(parent), experiment_(std::move(experiment)), options_(std::move(options)), background_(background) {
    setWindowTitle(tr("A text of your own"));
    setModal(true);
    const auto label = [&](const QString& text, const char* role) {
        auto* l = new QLabel(text, this);
        l->setTextFormat(Qt::PlainText);
        l->setWordWrap(true);
        setRole(l, role);
        return l;
    };
    auto* title = label(tr("What should it learn from?"), "question");
    auto* hint = label(
        tr("Any text. In every line, the words so far are an example and the word after them is its answer."), "body");
    source_ = label({}, "heading");
    source_->hide();
    edit_ = new QPlainTextEdit(this);
    edit_->setPlaceholderText(tr("Paste or write lines here, or open a file"));
    edit_->setTabChangesFocus(true);
    edit_->setAccessibleName(tr("Text to learn from"));
    facts_ = label({}, "label");
    notes_ = label({}, "caption");
    problem_ = label({}, "error");
    busy_ = label({}, "label");
    progress_ = new QProgressBar(this);
    progress_->setRange(0, 0);
    progress_->setTextVisible(false);
    stop_ = new QPushButton(tr("Stop"), this);
    connect(stop_, &QPushButton::clicked, this, &CorpusDialog::cancelWork);
    file_ = new QPushButton(tr("Open a file…"), this);
    connect(file_, &QPushButton::clicked, this, &CorpusDialog::chooseFile);
    train_ = new QPushButton(tr("Use this text"), this);
    setRole(train_, "primary");
    train_->setDefault(true);
    train_->setEnabled(false);
    connect(train_, &QPushButton::clicked, this, [this] {
        if (corpus_) Q_EMIT chosen(corpus_);
    });
    cancel_ = new QPushButton(tr("Cancel"), this);
    setRole(cancel_, "quiet");
    connect(cancel_, &QPushButton::clicked, this, &QDialog::reject);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(24, 24, 24, 20);
    column->setSpacing(10);
    column->addWidget(title);
    column->addWidget(hint);
    column->addWidget(source_);
    column->addWidget(edit_, 1);
    column->addWidget(facts_);
    column->addWidget(notes_);
    column->addWidget(problem_);
    auto* work = new QHBoxLayout;
    work->addWidget(busy_, 1);
    work->addWidget(progress_, 1);
    work->addWidget(stop_);
    column->addLayout(work);
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(file_);
    buttons->addStretch();
    buttons->addWidget(cancel_);
    buttons->addWidget(train_);
    column->addLayout(buttons);
    setBusy({});
    facts_->hide();
    notes_->hide();
    problem_->hide();

    typed_.setSingleShot(true);
    typed_.setInterval(typing_pause);
    connect(&typed_, &QTimer::timeout, this, &CorpusDialog::examinePasted);
    connect(edit_, &QPlainTextEdit::textChanged, this, [this] {
        if (from_file_) return;
        corpus_.reset();
        train_->setEnabled(false);
        typed_.start();
    });
    const double scale = parent ? scaleFor(parent->window()->size()) : 1;
    scaleLayouts(this, scale);
    resize(int(560 * scale), int(520 * scale));
}

CorpusDialog::~CorpusDialog() {
    if (cancelled_) *cancelled_ = true;
}

QString CorpusDialog::problem() const {
    return problem_->text();
}

QString CorpusDialog::factsText() const {
    return facts_->text();
}

bool CorpusDialog::canTrain() const {
    return train_->isEnabled();
}

void CorpusDialog::refuse(const QString& sentence) {
    problem_->setText(sentence);
    problem_->setVisible(!sentence.isEmpty());
}

void CorpusDialog::setText(const QString& text) {
    edit_->setPlainText(text);
    typed_.stop();
    examinePasted();
}

void CorpusDialog::chooseFile() {
    auto* dialog = new QFileDialog(this, tr("Open a text"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    dialog->setNameFilters({tr("Text (*.txt *.md *.csv)"), tr("All files (*)")});
    connect(dialog, &QFileDialog::fileSelected, this,
            [this](const QString& file) { openFile(std::filesystem::path(file.toStdString())); });
    dialog->open();
}

void CorpusDialog::openFile(const std::filesystem::path& path) {
    from_file_ = true;
    source_->setText(shownText(nameOf(path)));
    source_->show();
    edit_->setReadOnly(true);
    edit_->clear();
    examine(nameOf(path), [path] { return read_file(path, largest_text); });
}

void CorpusDialog::examinePasted() {
    if (from_file_) return;
    const std::string text = edit_->toPlainText().toStdString();
    if (text.find_first_not_of(" \n\t") == std::string::npos) {
        cancelWork();
        facts_->hide();
        notes_->hide();
        refuse({});
        return;
    }
    examine(tr("your text"), [text] { return text; });
}

void CorpusDialog::examine(const QString& name, std::function<std::string()> bytes) {
    cancelWork();
    refuse({});
    corpus_.reset();
    train_->setEnabled(false);
    setBusy(tr("Reading %1 …").arg(shownText(name)));
    cancelled_ = std::make_shared<std::atomic<bool>>(false);
    background_.run(
        [this, name, bytes = std::move(bytes), token = cancelled_, experiment = experiment_,
         options = options_]() -> Background::Finish {
            const std::string text = bytes();
            if (*token) return {};
            const CorpusFacts facts = examineCorpus(name, text, experiment, options, *token);
            return [this, token, facts] {
                if (!*token) showFacts(facts);
            };
        },
        [this, token = cancelled_](const QString& sentence) {
            if (*token) return;
            setBusy({});
            facts_->hide();
            notes_->hide();
            refuse(sentence);
        });
}

void CorpusDialog::showFacts(const CorpusFacts& facts) {
    setBusy({});
    corpus_ = facts.corpus;
    const ExperimentCost& c = facts.cost;
    QStringList lines;
    lines << corpusSentence(*corpus_);
    if (c.longest_prefix > c.max_seq_len)
        lines << tr("Of longer phrases the model reads the last %1 words.").arg(countText(c.max_seq_len));
    lines << tr("The model has %1 parameters and takes %2 to train.")
                 .arg(countText(c.parameters), QString::fromStdString(format_bytes(c.bytes)));
    lines << tr("An epoch takes %1 on this machine (steps: %2).")
                 .arg(durationText(facts.seconds_per_epoch), countText(c.steps_per_epoch));
    facts_->setText(lines.join(u'\n'));
    facts_->show();
    QStringList notes;
    for (const std::string& note : corpus_->notes()) notes << QString::fromStdString(note);
    notes_->setText(notes.join(u' '));
    notes_->setVisible(!notes.isEmpty());
    if (from_file_) {
        const std::string& text = corpus_->text();
        const std::size_t end = text.size() <= preview_bytes ? text.size() : text.rfind('\n', preview_bytes);
        edit_->setPlainText(QString::fromStdString(text.substr(0, end == std::string::npos ? preview_bytes : end)));
    }
    train_->setEnabled(true);
}

void CorpusDialog::setBusy(const QString& what) {
    for (QWidget* w : std::initializer_list<QWidget*>{busy_, progress_, stop_}) w->setVisible(!what.isEmpty());
    busy_->setText(what);
}

void CorpusDialog::cancelWork() {
    if (cancelled_) *cancelled_ = true;
    setBusy({});
}

}  // namespace moe::app
