#include "app/shell/notes_window.h"

#include "app/shell/style.h"

#include <QLabel>
#include <QPlainTextEdit>
#include <QSignalBlocker>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr int longest_notes = 1'000'000;  // characters; a file holds at most 4 MiB of them

}  // namespace

NotesWindow::NotesWindow(Workbench& bench, QWidget* window) : QDialog(window), bench_(bench) {
    setWindowTitle(tr("Notes"));
    resize(380, 320);
    setSizeGripEnabled(true);
    auto* rows = new QVBoxLayout(this);
    rows->setContentsMargins(16, 16, 16, 16);
    rows->setSpacing(8);
    text_ = new QPlainTextEdit(this);
    text_->setAccessibleName(tr("Notes"));
    text_->setToolTip(tr("Plain text, kept in the session's file."));
    text_->setPlaceholderText(tr("What to ask, what to show next …"));
    text_->setTabChangesFocus(true);
    rows->addWidget(text_, 1);
    auto* where = new QLabel(tr("Kept in the session's file. Whoever opens it can read them."), this);
    where->setWordWrap(true);
    setRole(where, "caption");
    rows->addWidget(where);

    const auto take = [this] {
        if (text_->toPlainText() == bench_.notes()) return;
        const QSignalBlocker quiet(text_);
        text_->setPlainText(bench_.notes());
        text_->moveCursor(QTextCursor::End);
    };
    connect(&bench_, &Workbench::notesChanged, this, take);
    connect(text_, &QPlainTextEdit::textChanged, this, [this] {
        if (text_->toPlainText().size() > longest_notes) return text_->undo();
        bench_.setNotes(text_->toPlainText());
    });
    take();
}

}  // namespace moe::app
