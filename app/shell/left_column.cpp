#include "app/shell/left_column.h"

#include "app/models/text_format.h"
#include "app/shell/experiment_panel.h"
#include "app/shell/lesson_panel.h"
#include "app/shell/notice.h"
#include "app/shell/style.h"
#include "engine/session/snapshot.h"
#include "engine/text/corpus.h"

#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QStackedLayout>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr double column_width = 244;

QScrollArea* scrolled(QWidget* content, QWidget* parent) {
    auto* area = new QScrollArea(parent);
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    area->viewport()->setAutoFillBackground(false);
    area->setFocusPolicy(Qt::NoFocus);
    content->setAutoFillBackground(false);
    area->setWidget(content);
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
    notice_ = new Notice(page);
    experiment_ = new ExperimentPanel(page);
    auto* line = new QFrame(page);
    setRole(line, "line");
    auto* notice_row = new QHBoxLayout;
    notice_row->setContentsMargins(16, 0, 16, 12);
    notice_row->addWidget(notice_);
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
    run->addStretch(1);
    run_->hide();
    column->addWidget(run_, 1);
    column->addWidget(lesson_scroll_, 1);
    column->addLayout(notice_row);
    column->addLayout(line_row);
    column->addWidget(experiment_);
    editor_ = new ExperimentEditor(nullptr);
    editor_scroll_ = scrolled(editor_, this);
    pages_->addWidget(page);
    pages_->addWidget(editor_scroll_);
}

void LeftColumn::setTheme(const Theme& theme) {
    setFixedWidth(int(theme.px(column_width)));
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
    run_facts_->setText(
        tr("%1 lines, %2 different words, %3 examples. The longest phrase has %4 words. The model has %5 "
           "parameters.")
            .arg(countText(corpus->lines()), countText(corpus->tokenizer().vocabulary() - 1),
                 countText(corpus->examples()), countText(corpus->longest_prefix()), countText(snapshot.parameters)));
}

bool LeftColumn::showsEditor() const {
    return pages_->currentIndex() == 1;
}

}  // namespace moe::app
