#include "app/shell/window_actions.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSlider>
#include <QAbstractSpinBox>
#include <QActionGroup>
#include <QApplication>
#include <QComboBox>
#include <QKeyEvent>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QTextEdit>

namespace moe::app {

namespace {

/// Whether the focused widget itself has a use for this key.
bool keepsKey(const QWidget* widget, const QKeyEvent& key) {
    const bool arrow = key.key() == Qt::Key_Left || key.key() == Qt::Key_Right;
    // In a text Control and an arrow go by words.
    const auto others =
        arrow ? Qt::AltModifier | Qt::MetaModifier : Qt::ControlModifier | Qt::AltModifier | Qt::MetaModifier;
    if (key.modifiers() & others) return false;
    if (qobject_cast<const QLineEdit*>(widget) || qobject_cast<const QPlainTextEdit*>(widget) ||
        qobject_cast<const QTextEdit*>(widget) || qobject_cast<const QAbstractSpinBox*>(widget) ||
        qobject_cast<const QComboBox*>(widget) || qobject_cast<const QAbstractItemView*>(widget))
        return key.key() == Qt::Key_Space || arrow || key.key() == Qt::Key_R || key.key() == Qt::Key_N ||
               key.key() == Qt::Key_I;
    if (qobject_cast<const QAbstractButton*>(widget)) return key.key() == Qt::Key_Space;
    if (qobject_cast<const QAbstractSlider*>(widget)) return arrow && key.modifiers() == Qt::NoModifier;
    return false;
}

}  // namespace

WindowActions::WindowActions(QWidget* window) : QObject(window), window_(window) {
    reset = make(tr("Reset to step 0"), Qt::Key_R);
    play = make(tr("Play or pause"), Qt::Key_Space);
    operation = make(tr("Next operation"), Qt::Key_Right);
    operationBack = make(tr("Previous operation"), Qt::Key_Left);
    batch = make(tr("One batch"), QKeySequence(Qt::SHIFT | Qt::Key_Right));
    batchBack = make(tr("One batch back"), QKeySequence(Qt::SHIFT | Qt::Key_Left));
    epoch = make(tr("One epoch"), QKeySequence(Qt::CTRL | Qt::Key_Right));
    epochBack = make(tr("One epoch back"), QKeySequence(Qt::CTRL | Qt::Key_Left));
    stepThrough = make(tr("Step through"));
    stepThrough->setCheckable(true);
    stepThrough->setToolTip(
        tr("Walks through a batch, operation by operation, forwards and backwards (→ enters, Esc "
           "leaves)"));
    replay = make(tr("Replay the operation"), Qt::Key_Space);
    replay->setEnabled(false);  // while stepping
    newWindow = make(tr("New window"), QKeySequence(Qt::CTRL | Qt::Key_N));
    newWindow->setToolTip(tr("Another window with a session of its own."));
    open = make(tr("Open…"), QKeySequence(Qt::CTRL | Qt::Key_O));
    save = make(tr("Save"), QKeySequence(Qt::CTRL | Qt::Key_S));
    saveAs = make(tr("Save As…"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_S));
    notes = make(tr("Notes…"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_N));
    notes->setToolTip(tr("What you want to say to this session; kept in its file."));
    ownText = make(tr("Own text…"), QKeySequence(Qt::CTRL | Qt::Key_T));
    paste = make(tr("Paste a text…"), QKeySequence(Qt::CTRL | Qt::Key_V));
    exporting = make(tr("Export…"), QKeySequence(Qt::CTRL | Qt::Key_E));
    animating = make(tr("Run as an animation…"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_E));
    forKeras = make(tr("Export for Keras…"));
    forKeras->setToolTip(
        tr("Python that builds this very model from Keras's layers, or the model in the tutorial's "
           "classes. A saved session opens in Keras as it is."));
    quit = make(tr("Quit"), QKeySequence(Qt::CTRL | Qt::Key_Q));
    undo = make(tr("Undo"), QKeySequence(Qt::CTRL | Qt::Key_Z));
    redo = make(tr("Redo"), QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_Z));
    backToNow = make(tr("Back to now"), Qt::Key_N);
    goToStep = make(tr("Look at a step…"), QKeySequence(Qt::CTRL | Qt::Key_G));
    inspector = make(tr("Inspector"), Qt::Key_I);
    device = make(tr("Device…"), QKeySequence(Qt::CTRL | Qt::Key_D));
    restoreLayout = make(tr("Restore layout"));
    sessionLayout = make(tr("Layout of this session"));
    sessionLayout->setToolTip(tr("Puts the pictures where they were when this session was saved."));
    themeSystem = make(tr("As the desktop"));
    themeLight = make(tr("Light"));
    themeDark = make(tr("Dark"));
    auto* themes = new QActionGroup(this);
    for (QAction* a : {themeSystem, themeLight, themeDark}) {
        a->setCheckable(true);
        themes->addAction(a);
    }
    reducedMotion = make(tr("Reduced motion"));
    reducedMotion->setCheckable(true);
    reducedMotion->setToolTip(tr("Pictures change at once instead of easing, and no token travels."));
    menu = make(tr("Menu"), Qt::Key_F10);
    keys = make(tr("Keys"), Qt::Key_F1);
    about = make(tr("About MoE Lab"));
    qApp->installEventFilter(this);
}

QAction* WindowActions::make(const QString& text, const QKeySequence& key) {
    auto* action = new QAction(text, this);
    action->setShortcut(key);
    action->setWhatsThis(QString(text).remove(u'…'));  // for the list of keys: the text follows the run
    window_->addAction(action);
    all_.push_back(action);
    return action;
}

std::vector<const QAction*> WindowActions::withKeys() const {
    std::vector<const QAction*> found;
    for (const QAction* a : all_)
        if (!a->shortcut().isEmpty() && a->isVisible()) found.push_back(a);
    return found;
}

bool WindowActions::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* widget = qobject_cast<QWidget*>(watched);
        if (widget && widget->window() == window_ && keepsKey(widget, *static_cast<QKeyEvent*>(event))) {
            event->accept();
            return true;
        }
    }
    return QObject::eventFilter(watched, event);
}

}  // namespace moe::app
