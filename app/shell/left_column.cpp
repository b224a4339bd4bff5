#include "app/shell/left_column.h"

#include "app/models/experiment_draft.h"
#include "app/models/text_format.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/style.h"
#include "engine/session/snapshot.h"
#include "engine/session/training_session.h"

#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QTimer>
#include <QScrollBar>
#include <QStackedLayout>
#include <QVBoxLayout>

namespace moe::app {

namespace {

/// As tall as its content where there is room, and scrolling where there is none.
class ContentHigh : public QScrollArea {
public:
    explicit ContentHigh(QWidget* parent) : QScrollArea(parent) {
        setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    }

    QSize sizeHint() const override {
        const QWidget* content = widget();
        if (!content) return {};
        const int w = viewport()->width();
        return {w, content->layout() && content->layout()->hasHeightForWidth()
                       ? content->layout()->totalHeightForWidth(w)
                       : content->sizeHint().height()};
    }
    QSize minimumSizeHint() const override { return {0, 0}; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override {
        if (watched == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
        return QScrollArea::eventFilter(watched, event);
    }
    void resizeEvent(QResizeEvent* event) override {
        QScrollArea::resizeEvent(event);
        if (event->oldSize().width() != event->size().width()) updateGeometry();
    }
};

QScrollArea* scrolled(QWidget* content, QWidget* parent) {
    auto* area = new ContentHigh(parent);
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    area->viewport()->setAutoFillBackground(false);
    area->setFocusPolicy(Qt::NoFocus);
    area->setWidget(content);               // watches it too: QScrollArea filters the events of its widget
    content->setAutoFillBackground(false);  // setWidget() turns it on
    return area;
}

}  // namespace

LeftColumn::LeftColumn(QWidget* parent) : QFrame(parent) {
    setRole(this, "column");
    pages_ = new QStackedLayout(this);
    pages_->setContentsMargins(0, 0, 1, 0);
    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    lesson_ = new LessonPanel(nullptr);
    lesson_scroll_ = scrolled(lesson_, page);
    // The answer takes room below: what there is to try next stays in sight, the text that was read scrolls up.
    connect(lesson_, &LessonPanel::guessed, this, [this] {
        QTimer::singleShot(100, this, [this] {
            QScrollBar* bar = lesson_scroll_->verticalScrollBar();
            bar->setValue(bar->maximum());
        });
    });
    experiment_ = new ExperimentPanel(page);
    auto* line = new QFrame(page);
    setRole(line, "line");
    auto* line_row = new QHBoxLayout;
    line_row->setContentsMargins(20, 0, 20, 0);
    line_row->addWidget(line);
    run_ = new QWidget(page);
    auto* run = new QVBoxLayout(run_);
    run->setContentsMargins(20, 20, 20, 12);
    run->setSpacing(10);
    const auto plain = [&](const char* role) {
        auto* label = new QLabel(run_);
        label->setTextFormat(Qt::PlainText);
        label->setWordWrap(true);
        setRole(label, role);
        run->addWidget(label);
        return label;
    };
    run_name_ = plain("question");
    run_facts_ = plain("body");
    auto* back = new QPushButton(tr("Back to the lesson"), run_);
    connect(back, &QPushButton::clicked, this, &LeftColumn::lessonAsked);
    run->addWidget(back);
    run_->hide();
    column->addWidget(run_);
    column->addWidget(lesson_scroll_);
    column->addWidget(lesson_->foot());
    column->addStretch(1);
    column->addLayout(line_row);
    column->addWidget(experiment_);
    editor_ = new ExperimentEditor(nullptr);
    editor_scroll_ = scrolled(editor_, this);
    pages_->addWidget(page);
    pages_->addWidget(editor_scroll_);
}

void LeftColumn::setTheme(const Theme& theme) {
    setFixedWidth(int(theme.px(column_width)));
    scaleLayouts(this, theme.scale);
    lesson_->setTheme(theme);
}

void LeftColumn::showEditor(bool on) {
    pages_->setCurrentIndex(on ? 1 : 0);
}

void LeftColumn::showRun(const QString& name, const Corpus* corpus, const Snapshot& snapshot) {
    const bool own = !name.isEmpty();
    run_->setVisible(own);
    lesson_scroll_->setVisible(!own);
    if (!own || !corpus) return;
    run_name_->setText(name);
    run_facts_->setText(corpusSentence(*corpus) + u'\n' +
                        tr("The model has %1 parameters.").arg(countText(snapshot.parameters)));
}

bool LeftColumn::showsEditor() const {
    return pages_->currentIndex() == 1;
}

}  // namespace moe::app
