#include "app/shell/notes_window.h"

#include "app/models/text_format.h"
#include "app/shell/style.h"

#include <QLabel>
#include <QPlainTextEdit>
#include <QSignalBlocker>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr int longest_notes = 1'000'000;  // characters, of up to 3 bytes
static_assert(3 * longest_notes <= largest_notes, "notes that were typed can be saved");

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
    const QString kept = tr("Kept in the session's file. Whoever opens it can read them.");
    auto* where = new QLabel(kept, this);
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
    connect(text_, &QPlainTextEdit::textChanged, this, [this, where, kept] {
        const QString notes = text_->toPlainText();
        // A stranger's file may hold more: they can be shortened.
        if (notes.size() > longest_notes && notes.size() > bench_.notes().size()) {
            text_->undo();
            return where->setText(tr("Notes hold at most %1 characters, so the last change was taken back.")
                                      .arg(countText(longest_notes)));
        }
        where->setText(kept);
        bench_.setNotes(notes);
    });
    take();
}

}  // namespace moe::app
