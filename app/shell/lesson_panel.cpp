#include "app/shell/lesson_panel.h"

#include "app/lessons/markdown.h"
#include "app/shell/style.h"

#include <QHBoxLayout>
#include <QImageReader>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QRegularExpression>
#include <QTextDocument>
#include <QVBoxLayout>
#include <QWheelEvent>

#include <cmath>

namespace moe::app {

namespace {

constexpr double column_text_width = 195;             // beside a scroll bar too
constexpr qint64 largest_picture = qint64(32) << 20;  // decoded bytes

/// "Step 3 of 6" as a row of short lines.
class ProgressLines : public QWidget {
public:
    using QWidget::QWidget;

    void set(std::size_t at, std::size_t count, const Theme& theme) {
        at_ = at;
        count_ = count;
        theme_ = theme;
        setFixedHeight(int(theme.px(3)));
        update();
    }

protected:
    void paintEvent(QPaintEvent*) override {
        if (!count_) return;
        QPainter painter(this);
        const double gap = theme_.px(4), w = (width() - gap * double(count_ - 1)) / double(count_);
        for (std::size_t i = 0; i < count_; ++i)
            painter.fillRect(QRectF(double(i) * (w + gap), 0, w, height()), i <= at_ ? theme_.ink : theme_.track);
    }

private:
    std::size_t at_ = 0, count_ = 0;
    Theme theme_ = Theme::light();
};

/// Any thread. Null where it is none of the two kinds that a lesson may show.
QImage readPicture(const QString& path) {
    QImageReader reader(path);
    const QSize size = reader.size();
    if (!size.isValid() || qint64(size.width()) * size.height() * 4 > largest_picture) return {};
    if (reader.format() != "png" && reader.format() != "jpeg") return {};
    return reader.read();
}

QIcon expertIcon(std::size_t index, const Theme& theme) {
    const int side = int(theme.px(14)), wide = int(theme.px(15));  // the rest is the gap to the text
    QPixmap pixmap(wide * 2, side * 2);
    pixmap.setDevicePixelRatio(2);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillPath(expertShape(index, QPointF(side / 2.0, side / 2.0), theme.px(11)), theme.expert(index));
    return QIcon(pixmap);
}

/// As many buttons a row as have room, at most `most`.
void fillRows(QVBoxLayout* rows, const std::vector<QPushButton*>& buttons, int width, int most = 2) {
    const auto needs = [&](std::size_t i) {
        buttons[i]->ensurePolished();
        buttons[i]->setFocusPolicy(Qt::TabFocus);  // a click leaves the keys with the stage
        return buttons[i]->sizeHint().width();
    };
    int before = 0;  // buttons in the row above
    for (std::size_t i = 0; i < buttons.size();) {
        auto* row = new QHBoxLayout;
        row->setSpacing(rows->spacing());
        int left = width - needs(i);
        row->addWidget(buttons[i++], 1);
        for (; i < buttons.size() && row->count() < most; ++i) {
            left -= rows->spacing() + needs(i);
            if (left < 0) break;
            row->addWidget(buttons[i], 1);
        }
        // The last of many are as wide as those above them.
        if (most > 2 && i == buttons.size() && rows->count() > 0 && row->count() < before)
            row->addStretch(before - row->count());
        before = row->count();
        rows->addLayout(row);
    }
}

void clearRows(QVBoxLayout* rows) {
    while (QLayoutItem* row = rows->takeAt(0)) {
        while (QLayoutItem* item = row->layout()->takeAt(0)) {
            if (QWidget* widget = item->widget()) {
                widget->hide();
                widget->deleteLater();
            }
            delete item;
        }
        delete row;
    }
}

}  // namespace

LessonText::LessonText(QWidget* parent) : QTextBrowser(parent) {
    setRole(this, "body");
    setOpenLinks(false);
    setOpenExternalLinks(false);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    setFocusPolicy(Qt::NoFocus);
    setTextInteractionFlags(Qt::NoTextInteraction);
    viewport()->setAutoFillBackground(false);
    document()->setDocumentMargin(0);
}

void LessonText::setLesson(const QString& markdown, const QString& folder) {
    folder_ = folder;
    html_ = markdownToHtml(markdown);
    ++shown_;
    pictures_.clear();
    document()->clear();  // with the pictures that it knows
    readPictures();
    document()->setDefaultStyleSheet(
        QStringLiteral("p { margin: 0 0 6px 0; line-height: 126%; } ul { margin: 0 0 6px 0; "
                       "-qt-list-indent: 1; } li { margin: 0 0 3px 0; line-height: 122%; }"));
    setHtml(html_);
    setAccessibleName(toPlainText());
    fit();
}

QVariant LessonText::loadResource(int type, const QUrl& name) {
    if (type != QTextDocument::ImageResource) return {};
    const auto picture = pictures_.find(name.toString());
    if (picture != pictures_.end()) return picture->second;
    // Where there is nothing, Qt looks for a file of this name by itself.
    QImage none(1, 1, QImage::Format_ARGB32_Premultiplied);
    none.fill(Qt::transparent);
    return none;
}

void LessonText::readPictures() {
    static const QRegularExpression source(QStringLiteral("<img src=\"([^\"]+)\""));
    for (auto found = source.globalMatch(html_); found.hasNext();) {
        const QString name = found.next().captured(1);
        if (!isLessonPicture(name)) continue;
        background_.run(
            [this, name, path = folder_ + u'/' + name, shown = shown_]() -> Background::Finish {
                return [this, name, shown, picture = readPicture(path)] {
                    if (shown != shown_ || picture.isNull()) return;
                    pictures_[name] = picture;
                    document()->clear();
                    setHtml(html_);
                    fit();
                };
            },
            [](const QString&) {});  // a text without its picture
    }
}

void LessonText::fit() {
    document()->setTextWidth(viewport()->width());
    const int height = int(std::ceil(document()->size().height()));
    if (height != minimumHeight() || height != maximumHeight()) setFixedHeight(height);
}

QSize LessonText::sizeHint() const {
    return {160, height()};
}

QSize LessonText::minimumSizeHint() const {
    return {80, 0};
}

void LessonText::resizeEvent(QResizeEvent* event) {
    QTextBrowser::resizeEvent(event);
    fit();
}

void LessonText::changeEvent(QEvent* event) {
    QTextBrowser::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) {
        setHtml(html_);
        fit();
    }
}

// The column scrolls, not this text in it.
void LessonText::wheelEvent(QWheelEvent* event) {
    event->ignore();
}

LessonPanel::LessonPanel(QWidget* parent) : QWidget(parent) {
    const auto label = [&](const char* role) {
        auto* l = new QLabel(this);
        l->setTextFormat(Qt::PlainText);
        l->setWordWrap(true);
        setRole(l, role);
        return l;
    };
    place_ = label("caption");
    progress_ = new ProgressLines(this);
    question_ = label("question");
    text_ = new LessonText(this);
    card_ = new QFrame(this);
    setRole(card_, "card");
    prompt_ = label("heading");
    options_ = new QVBoxLayout;
    options_->setSpacing(6);
    auto* card = new QVBoxLayout(card_);
    card->setContentsMargins(12, 10, 12, 12);
    card->setSpacing(8);
    card->addWidget(prompt_);
    card->addLayout(options_);
    actions_ = new QWidget(this);
    action_rows_ = new QVBoxLayout(actions_);
    action_rows_->setContentsMargins(0, 0, 0, 0);
    action_rows_->setSpacing(6);
    foot_ = new QWidget(this);
    walk_ = new QWidget(foot_);
    next_ = new QPushButton(tr("Next"), walk_);
    setRole(next_, "primary");
    back_ = new QPushButton(tr("Back"), walk_);
    setRole(back_, "quiet");
    for (QPushButton* b : {next_, back_}) {
        QSizePolicy policy = b->sizePolicy();
        policy.setRetainSizeWhenHidden(true);
        b->setFocusPolicy(Qt::TabFocus);
        b->setSizePolicy(policy);
    }
    connect(next_, &QPushButton::clicked, this, [this] {
        if (player_.goOn())
            enter();
        else
            Q_EMIT nextLessonAsked();
    });
    connect(back_, &QPushButton::clicked, this, [this] {
        if (player_.goBack()) enter();
    });

    reveal_ = label("body");
    setRole(reveal_, "reveal");
    auto* answer = new QHBoxLayout;
    answer->setContentsMargins(20, 6, 20, 0);
    answer->addWidget(reveal_);
    auto* foot = new QVBoxLayout(foot_);
    foot->setContentsMargins(0, 0, 0, 0);
    foot->setSpacing(0);
    foot->addLayout(answer);
    foot->addWidget(walk_);
    // The way on stands below the text and does not scroll with it.
    auto* walk = new QHBoxLayout(walk_);
    walk->setContentsMargins(20, 6, 20, 12);
    walk->setSpacing(8);
    walk->addWidget(next_, 1);
    walk->addWidget(back_, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(20, 16, 20, 0);
    column->setSpacing(0);
    column->addWidget(place_);
    column->addSpacing(5);
    column->addWidget(progress_);
    column->addSpacing(10);
    column->addWidget(question_);
    column->addSpacing(6);
    column->addWidget(text_);
    column->addSpacing(8);
    column->addWidget(card_);
    column->addSpacing(8);
    column->addWidget(actions_);
    column->addStretch(1);
}

void LessonPanel::setLesson(const Lesson* lesson, bool anotherFollows) {
    another_follows_ = anotherFollows;
    player_ = LessonPlayer(lesson);
    enter();
}

void LessonPanel::resume(LessonPlayer player, bool anotherFollows, const std::string& probe) {
    another_follows_ = anotherFollows;
    player_ = std::move(player);
    rememberQuestion();
    if (player_.step() && player_.step()->phrase.isEmpty()) asked_phrase_ = probe;
    rebuild();
}

void LessonPanel::setTheme(const Theme& theme) {
    theme_ = theme;
    static_cast<ProgressLines*>(progress_)->set(player_.index(), player_.count(), theme);
    const bool experts = player_.step() && player_.step()->guess &&
                         player_.step()->guess->kind == Guess::Kind::expert && option_buttons_.size() == experts_;
    for (std::size_t i = 0; i < option_buttons_.size() && experts; ++i) {
        option_buttons_[i]->setIcon(expertIcon(i, theme));
        option_buttons_[i]->setIconSize({int(theme.px(15)), int(theme.px(14))});
    }
}

void LessonPanel::rebuild() {
    const LessonStep* step = player_.step();
    setVisible(step != nullptr);
    foot_->setVisible(step != nullptr);
    if (!step) return;
    // The bar may name the run's file.
    place_->setText(
        tr("%1 · step %2 of %3")
            .arg(player_.lesson()->title, QString::number(player_.index() + 1), QString::number(player_.count())));
    question_->setText(step->title);
    text_->setLesson(step->text, player_.lesson()->folder);

    clearRows(options_);
    option_buttons_.clear();
    card_->setVisible(step->guess.has_value());
    if (step->guess) {
        prompt_->setText(step->guess->prompt);
        const QStringList options = player_.options(*snapshot_);
        for (int i = 0; i < int(options.size()); ++i) {
            auto* b = new QPushButton(options[i], card_);
            setRole(b, "option");
            b->setCheckable(true);
            b->setChecked(player_.guessedOption(*snapshot_) == i);
            connect(b, &QPushButton::clicked, this, [this, i] {
                player_.guess(i, *snapshot_);
                rememberQuestion();
                if (!asksThis()) Q_EMIT stepEntered(*player_.step());
                for (std::size_t k = 0; k < option_buttons_.size(); ++k) option_buttons_[k]->setChecked(int(k) == i);
                showReveal();
                Q_EMIT guessed();
            });
            b->show();
            option_buttons_.push_back(b);
        }
        setTheme(theme_);
        fillRows(options_, option_buttons_, int(theme_.px(column_text_width - 24)), options.size() > 8 ? 4 : 2);
    }
    clearRows(action_rows_);
    play_buttons_.clear();
    std::vector<QPushButton*> acts;
    for (const LessonAction& action : step->actions) {
        auto* b = new QPushButton(action.label, actions_);
        setRole(b, "option");
        connect(b, &QPushButton::clicked, this, [this, action] { Q_EMIT actionAsked(action); });
        acts.push_back(b);
        if (action.kind != LessonAction::Kind::play) continue;
        play_buttons_.emplace_back(b, action.label);
        if (tr("Pause").size() > action.label.size()) b->setText(tr("Pause"));  // room for either
    }
    fillRows(action_rows_, acts, int(theme_.px(column_text_width)));
    showPlaying();
    actions_->setVisible(!step->actions.empty());
    next_->setText(player_.canGoOn() ? tr("Next") : tr("Next lesson"));
    next_->setVisible(player_.canGoOn() || another_follows_);
    back_->setVisible(player_.canGoBack());
    // Below each other where a longer language needs it.
    auto* walk = static_cast<QBoxLayout*>(walk_->layout());
    const QMargins frame = walk->contentsMargins();
    int needs = frame.left() + frame.right() + walk->spacing();
    for (QPushButton* b : {next_, back_}) {
        b->ensurePolished();
        needs += b->sizeHint().width();
    }
    walk->setDirection(needs > theme_.px(column_width) ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    setTheme(theme_);
    showReveal();
}

void LessonPanel::enter() {
    rememberQuestion();
    rebuild();
    if (player_.step()) Q_EMIT stepEntered(*player_.step());
}

void LessonPanel::setStructure(const std::shared_ptr<const Snapshot>& snapshot) {
    snapshot_ = snapshot;
    const std::size_t experts = snapshot->experiment.model.num_experts;
    const bool others = experts != experts_;
    if (experts_ > 0) player_.expertsChanged(experts_, experts);
    experts_ = experts;
    if (others && player_.step() && player_.step()->guess) rebuild();
}

void LessonPanel::setValues(const std::shared_ptr<const Snapshot>& snapshot) {
    snapshot_ = snapshot;
    if (player_.guessed()) showReveal();
}

void LessonPanel::rememberQuestion() {
    const LessonStep* step = player_.step();
    if (!step) return;
    asked_phrase_ = step->phrase.isEmpty() ? snapshot_->probe.text : step->phrase.toStdString();
    asked_focus_ = step->focus < 0 ? snapshot_->probe.focus : std::size_t(step->focus);
}

bool LessonPanel::asksThis() const {
    const Guess::Answer answer = player_.step()->guess->answer;
    if (answer != Guess::Answer::gate && answer != Guess::Answer::next_word) return true;
    const std::size_t prefixes = snapshot_->probe.prefix_words.size();
    return snapshot_->probe.text == asked_phrase_ &&
           (prefixes == 0 || snapshot_->probe.focus == std::min(asked_focus_, prefixes - 1));
}

// The answer follows the training, but not to another phrase.
void LessonPanel::showReveal() {
    QString text = player_.guessed() && asksThis() ? player_.reveal(*snapshot_) : QString();
    if (!text.isEmpty() && !player_.step()->guess->afterwards.isEmpty())
        text += u' ' + player_.step()->guess->afterwards;
    if (reveal_->text() != text) reveal_->setText(text);
    reveal_->setVisible(!text.isEmpty());
}

void LessonPanel::setPlaying(bool playing) {
    playing_ = playing;
    showPlaying();
}

void LessonPanel::showPlaying() {
    for (const auto& [button, words] : play_buttons_)
        if (const QString text = playing_ ? tr("Pause") : words; button->text() != text) button->setText(text);
}

bool LessonPanel::revealSeen() const {
    return reveal_->isVisible() && reveal_->visibleRegion().boundingRect().height() >= reveal_->height();
}

QString LessonPanel::revealed() const {
    return reveal_->text();
}

}  // namespace moe::app
