#include "app/shell/animation_dialog.h"

#include "app/models/moment_text.h"
#include "app/models/text_format.h"
#include "app/session/session_controller.h"
#include "app/shell/background.h"
#include "app/shell/export_dialog.h"
#include "app/shell/style.h"
#include "engine/core/numbers.h"

#include <QButtonGroup>
#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QStyle>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace moe::app {

namespace {

constexpr std::size_t most_frames = 3600, usual_frames = 120;
constexpr double least_seconds = 0.1, most_seconds = 3600, usual_seconds = 10;
void markBad(QLineEdit* edit, bool bad) {
    if (edit->property("bad").toBool() == bad) return;
    edit->setProperty("bad", bad);
    edit->style()->unpolish(edit);
    edit->style()->polish(edit);
}

constexpr QSize sizes[] = {{960, 540}, {1280, 720}, {1920, 1080}, {3840, 2160}};

}  // namespace

AnimationDialog::AnimationDialog(std::vector<FigureSource> sources, FigureOptions options, const QString& first,
                                 SessionController& session, const Theme& theme, Background& background,
                                 QWidget* parent)
    : QDialog(parent),
      sources_(std::move(sources)),
      given_(std::move(options)),
      session_(session),
      theme_(theme),
      background_(background),
      present_(session.sharedSnapshot()) {
    std::erase_if(sources_, [](const FigureSource& s) { return !s.of_any_moment; });
    setWindowTitle(tr("The run as an animation"));
    build(first);
    resize(int(theme_.px(900)), int(theme_.px(580)));
    showPreview();
    newest_ = newestStep(*present_);
    connect(&session_, &SessionController::liveChanged, this, &AnimationDialog::watchRun);
}

void AnimationDialog::watchRun() {
    const Snapshot& live = session_.live();
    replaced_ |= live.branch != present_->branch || live.step < newest_;
    newest_ = live.step;
    if (replaced_) follow();
}

void AnimationDialog::follow() {
    const std::shared_ptr<const Snapshot> shown = replaced_ ? session_.sharedLive() : session_.sharedSnapshot();
    if (running() || shown == present_) return;
    const std::uint64_t before = newestStep(*present_);
    present_ = shown;
    const std::uint64_t newest = newest_ = newestStep(*present_);
    if (replaced_) from_->setText(QString::number(session_.firstStep()));
    if (replaced_ || to_->text() == QString::number(before)) to_->setText(QString::number(newest));
    replaced_ = false;
    showPreview();
}

void AnimationDialog::build(const QString& first) {
    const auto caption = [this](const QString& text) {
        auto* label = new QLabel(text, this);
        setRole(label, "caption");
        return label;
    };
    auto* choices = new QVBoxLayout;
    choices->setSpacing(6);
    choices->addWidget(caption(tr("Views")));
    for (const FigureSource& source : sources_) {
        auto* box = new QCheckBox(source.name, this);
        box->setObjectName(source.id);
        box->setToolTip(tr("Shows this view in every frame"));
        box->setChecked(source.id == first);
        connect(box, &QCheckBox::toggled, this, &AnimationDialog::showPreview);
        views_.push_back(box);
        choices->addWidget(box);
    }
    choices->addSpacing(8);

    auto* numbers = new QGridLayout;
    numbers->setHorizontalSpacing(8);
    numbers->setVerticalSpacing(6);
    const auto field = [&](int row, int column, const QString& name, const QString& tip) {
        auto* edit = new QLineEdit(this);
        edit->setAccessibleName(name);
        edit->setToolTip(tip);
        edit->setFixedWidth(int(theme_.px(76)));
        edit->setMaxLength(20);
        numbers->addWidget(caption(name), row, column);
        numbers->addWidget(edit, row, column + 1);
        connect(edit, &QLineEdit::textEdited, this, [this] { plan(); });
        return edit;
    };
    from_ = field(0, 0, tr("From step"), tr("The step of the first frame"));
    to_ = field(0, 2, tr("to"), tr("The step of the last frame"));
    frames_ = field(1, 0, tr("Frames"), tr("How many pictures; evenly over the steps"));
    seconds_ = field(1, 2, tr("seconds"), tr("How long the animation takes"));
    choices->addLayout(numbers);
    choices->addWidget(rate_ = caption({}));
    choices->addSpacing(8);

    sizes_ = new QComboBox(this);
    sizes_->setAccessibleName(tr("Size"));
    for (const QSize& s : sizes)
        sizes_->addItem(
            tr("%1 × %2 pixels").arg(countText(std::uint64_t(s.width())), countText(std::uint64_t(s.height()))));
    sizes_->setCurrentIndex(1);
    connect(sizes_, &QComboBox::currentIndexChanged, this, &AnimationDialog::showPreview);
    choices->addWidget(sizes_);
    const auto segments = [&](QButtonGroup*& group, const std::vector<std::pair<QString, int>>& items) {
        group = new QButtonGroup(this);
        auto* row = new QHBoxLayout;
        row->setSpacing(4);
        for (const auto& [text, id] : items) {
            auto* button = new QPushButton(text, this);
            button->setCheckable(true);
            setRole(button, "segment");
            group->addButton(button, id);
            row->addWidget(button);
        }
        row->addStretch();
        choices->addLayout(row);
    };
    segments(papers_, {{tr("White"), 0}, {tr("Dark"), 1}});
    papers_->button(0)->setChecked(true);
    connect(papers_, &QButtonGroup::idToggled, this, [this](int, bool on) {
        if (on) showPreview();
    });
    choices->addSpacing(8);
    std::vector<std::pair<QString, int>> kinds;
    if (canAnimateWebp()) kinds.emplace_back(tr("One file (WebP)"), int(AnimationFormat::webp));
    kinds.emplace_back(tr("Numbered PNG"), int(AnimationFormat::png_folder));
    segments(formats_, kinds);
    formats_->button(kinds.front().second)->setChecked(true);
    auto* about = caption(
        canAnimateWebp() ? tr("WebP plays in browsers and slides, without loss. PNG goes into a folder of its own.")
                         : tr("A folder of pictures. This program was built without libwebp, which makes one file."));
    about->setWordWrap(true);
    choices->addWidget(about);
    choices->addStretch();

    picture_ = new QLabel(this);
    picture_->setAlignment(Qt::AlignCenter);
    picture_->setTextFormat(Qt::PlainText);
    picture_->setWordWrap(true);
    picture_->setAccessibleName(tr("A frame"));
    picture_->setMinimumSize(int(theme_.px(320)), int(theme_.px(220)));
    picture_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Ignored);
    message_ = new QLabel(this);
    message_->setTextFormat(Qt::PlainText);
    message_->setWordWrap(true);
    message_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    progress_ = new QProgressBar(this);
    progress_->setTextVisible(false);
    progress_->setAccessibleName(tr("Frames made"));
    progress_->hide();
    save_ = new QPushButton(tr("Save…"), this);
    save_->setToolTip(tr("Asks where, then makes the frames in the background"));
    setRole(save_, "primary");
    save_->setDefault(true);
    close_ = new QPushButton(tr("Close"), this);
    setRole(close_, "quiet");
    connect(save_, &QPushButton::clicked, this, &AnimationDialog::askWhere);
    connect(close_, &QPushButton::clicked, this, [this] { running() ? cancel() : reject(); });

    auto* middle = new QHBoxLayout;
    middle->setSpacing(20);
    middle->addLayout(choices);
    middle->addWidget(picture_, 1);
    auto* foot = new QHBoxLayout;
    foot->setSpacing(8);
    foot->addWidget(message_, 1);
    foot->addWidget(close_);
    foot->addWidget(save_);
    auto* rows = new QVBoxLayout(this);
    rows->setContentsMargins(20, 20, 20, 20);
    rows->setSpacing(12);
    rows->addLayout(middle, 1);
    rows->addWidget(progress_);
    rows->addLayout(foot);
    scaleLayouts(this, theme_.scale);
    setSteps(session_.firstStep(), newestStep(*present_), usual_frames, usual_seconds);
}

void AnimationDialog::choose(const QStringList& ids) {
    for (QCheckBox* box : views_) box->setChecked(ids.contains(box->objectName()));
}

void AnimationDialog::chooseFormat(AnimationFormat format) {
    if (QAbstractButton* button = formats_->button(int(format))) button->setChecked(true);
}

void AnimationDialog::setSteps(std::uint64_t from, std::uint64_t to, std::size_t frames, double seconds) {
    from_->setText(QString::number(from));
    to_->setText(QString::number(to));
    frames_->setText(QString::number(frames));
    seconds_->setText(QString::fromStdString(to_text(seconds)));
    plan();
}

QString AnimationDialog::message() const {
    return message_->text();
}

std::optional<AnimationPlan> AnimationDialog::plan() {
    AnimationPlan plan;
    const std::uint64_t newest = newestStep(*present_);
    const auto bad = [this](QLineEdit* edit, const QString& sentence) {
        markBad(edit, !sentence.isEmpty());
        if (!sentence.isEmpty()) say(sentence, true);
        return !sentence.isEmpty();
    };
    const auto whole = [](const QLineEdit* edit, std::uint64_t& value) {
        bool number = false;
        value = edit->text().trimmed().remove(u',').toULongLong(&number);
        return number;
    };
    std::uint64_t frames = 0;
    const std::uint64_t first = session_.firstStep();
    const QString steps = tr("A step is a number from %1 to %2.").arg(countText(first), countText(newest));
    bool wrong = bad(from_, whole(from_, plan.from) && plan.from >= first && plan.from <= newest ? QString() : steps);
    wrong |= bad(to_, whole(to_, plan.to) && plan.to <= newest && plan.to >= plan.from
                          ? QString()
                          : tr("The last step is a number from the first one to %1.").arg(countText(newest)));
    wrong |= bad(frames_, whole(frames_, frames) && frames >= 1 && frames <= most_frames
                              ? QString()
                              : tr("An animation has 1 to %1 frames.").arg(countText(most_frames)));
    wrong |= bad(seconds_, parse_number(seconds_->text().trimmed().toStdString(), plan.seconds) &&
                                   plan.seconds >= least_seconds && plan.seconds <= most_seconds
                               ? QString()
                               : tr("It takes 0.1 to 3,600 seconds."));
    for (std::size_t i = 0; i < views_.size(); ++i)
        if (views_[i]->isChecked()) plan.sources.push_back(sources_[i]);
    if (!wrong && plan.sources.empty()) {
        say(tr("Choose at least one view."), true);
        wrong = true;
    }
    if (save_) save_->setEnabled(!wrong && !running());
    rate_->clear();
    if (wrong) return {};
    if (!running()) say({}, false);
    plan.frames = animationSteps(plan.from, plan.to, std::size_t(frames)).size();
    rate_->setText(
        tr("%1 different frames, %2 a second")
            .arg(countText(plan.frames), QString::fromStdString(to_fixed(double(plan.frames) / plan.seconds, 1))));
    plan.options = given_;
    plan.options.theme = papers_->checkedId() == 1 ? Theme::darkTheme() : Theme::light();
    plan.probe = QString::fromStdString(present_->probe.text);
    plan.focus = present_->probe.focus;
    plan.size = sizes[std::max(0, sizes_->currentIndex())];
    plan.format = AnimationFormat(formats_->checkedId());
    return plan;
}

void AnimationDialog::showPreview() {
    if (!save_) return;  // still building
    const std::optional<AnimationPlan> entered = plan();
    if (!entered) return;
    try {
        const double ratio = devicePixelRatioF();
        const QSize room = (QSizeF(picture_->size()) * ratio).toSize();
        QImage image =
            AnimationSheet(entered->sources, entered->options, entered->size.scaled(room, Qt::KeepAspectRatio))
                .frame(*present_);
        image.setDevicePixelRatio(ratio);
        framePreview(image, theme_);
        picture_->setPixmap(QPixmap::fromImage(image));
    } catch (const std::exception& error) {
        picture_->setPixmap({});
        picture_->setText(QString::fromUtf8(error.what()));
        save_->setEnabled(false);
    }
}

void AnimationDialog::resizeEvent(QResizeEvent* event) {
    QDialog::resizeEvent(event);
    if (layout()) layout()->activate();
    showPreview();
}

void AnimationDialog::showEvent(QShowEvent* event) {
    QDialog::showEvent(event);
    if (layout()) layout()->activate();  // only now the picture has its room
    showPreview();
}

bool AnimationDialog::event(QEvent* event) {
    if (event->type() == QEvent::WindowActivate) follow();
    return QDialog::event(event);
}

void AnimationDialog::say(const QString& sentence, bool error) {
    setRole(message_, error ? "error" : "caption");
    message_->setText(sentence);
}

void AnimationDialog::askWhere() {
    const std::optional<AnimationPlan> entered = plan();
    if (!entered) return;
    const bool file = entered->format == AnimationFormat::webp;
    auto* dialog = new QFileDialog(this, file ? tr("Save the animation") : tr("Name a new folder for the frames"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setFileMode(QFileDialog::AnyFile);
    if (file) {
        dialog->setDefaultSuffix(QStringLiteral("webp"));
        dialog->setNameFilters({tr("Animated WebP (*.webp)"), tr("All files (*)")});
    }
    dialog->selectFile(file ? QStringLiteral("run.webp") : QStringLiteral("run-frames"));
    connect(dialog, &QFileDialog::fileSelected, this,
            [this](const QString& path) { saveTo(std::filesystem::path(path.toStdString())); });
    dialog->open();
}

void AnimationDialog::saveTo(const std::filesystem::path& target) {
    std::optional<AnimationPlan> entered = plan();
    if (!entered || running()) return;
    entered->target = target;
    if (job_) job_->deleteLater();
    auto* job = new AnimationJob(session_, background_, present_, std::move(*entered), this);
    job_ = job;
    connect(job, &AnimationJob::progressed, this, [this](std::size_t made, std::size_t all) {
        progress_->setRange(0, int(all));
        progress_->setValue(int(made));
        say(tr("Frame %1 of %2 …").arg(countText(made), countText(all)), false);
    });
    connect(job, &AnimationJob::finished, this, [this, target](const QString& path) {
        setRunning(false);
        say(tr("Saved %1.").arg(shownText(QString::fromStdString(target.filename().string()))), false);
        Q_EMIT saved(path);
    });
    connect(job, &AnimationJob::failed, this, [this](const QString& sentence) {
        setRunning(false);
        say(sentence, true);
    });
    connect(job, &AnimationJob::cancelled, this, [this] {
        setRunning(false);
        say(tr("Cancelled; nothing was written."), false);
    });
    setRunning(true);
    job->start();
}

void AnimationDialog::cancel() {
    if (job_) job_->cancel();
}

void AnimationDialog::setRunning(bool on) {
    progress_->setVisible(on);
    close_->setText(on ? tr("Cancel") : tr("Close"));
    close_->setToolTip(on ? tr("Stops; nothing is left behind") : QString());
    save_->setEnabled(!on);
    for (QLineEdit* edit : {from_, to_, frames_, seconds_}) edit->setEnabled(!on);
    for (QCheckBox* box : views_) box->setEnabled(!on);
    sizes_->setEnabled(!on);
    for (QButtonGroup* group : {formats_, papers_})
        for (QAbstractButton* button : group->buttons()) button->setEnabled(!on);
    if (!on && replaced_) follow();
}

void AnimationDialog::done(int result) {
    cancel();
    QDialog::done(result);
}

}  // namespace moe::app
