#pragma once
#include "app/models/theme.h"
#include "app/shell/workbench.h"

#include <QDialog>

class QPlainTextEdit;

namespace moe::app {

/// The teacher's notes of this session, plain text: a window of its own, so that it can stand where the class does not
/// look. Undo is the text field's own.
class NotesWindow : public QDialog {
    Q_OBJECT

public:
    NotesWindow(Workbench& bench, QWidget* window);

    QPlainTextEdit* text() const { return text_; }

private:
    Workbench& bench_;
    QPlainTextEdit* text_;
};

}  // namespace moe::app
