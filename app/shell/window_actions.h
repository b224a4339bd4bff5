#pragma once
#include <QAction>
#include <QKeySequence>
#include <QObject>

#include <vector>

class QMenu;
class QWidget;

namespace moe::app {

/// Every command of the window with its name and its key. Single keys are left to a text field, a button or a slider
/// that has the focus.
class WindowActions : public QObject {
    Q_OBJECT

public:
    explicit WindowActions(QWidget* window);

    QAction *reset, *play;
    QAction *stepThrough, *operation, *operationBack, *batch, *batchBack, *epoch, *epochBack, *replay;
    QAction *newWindow, *open, *save, *saveAs, *notes, *ownText, *paste, *exporting, *animating, *forKeras, *quit;
    QAction *undo, *redo;
    QAction *backToNow, *goToStep, *inspector, *device;
    QAction *restoreLayout, *sessionLayout, *themeSystem, *themeLight, *themeDark, *reducedMotion;
    QAction *menu, *keys, *about;

    /// Those that have a key, for the list of keys.
    std::vector<const QAction*> withKeys() const;

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QAction* make(const QString& text, const QKeySequence& key = {});

    QWidget* window_;
    std::vector<QAction*> all_;
};

}  // namespace moe::app
