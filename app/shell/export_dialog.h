#pragma once
#include "app/export/export_figure.h"

#include <QDialog>

#include <filesystem>
#include <memory>

class QButtonGroup;
class QComboBox;
class QLabel;
class QPlainTextEdit;
class QPushButton;
class QStackedWidget;

namespace moe::app {

class Background;

/// Chooses a figure and its format, shows it, and copies or saves it. Shows the run as it was when the dialog opened,
/// whatever trains on behind it. GUI thread; figures are made and written on a thread of their own.
class ExportDialog : public QDialog {
    Q_OBJECT

public:
    ExportDialog(std::shared_ptr<const Snapshot> snapshot, const QString& corpusName, const Theme& theme,
                 Background& background, QWidget* parent);

    void choose(FigureKind kind, FigureFormat format, int scale);
    /// In the format of the path's ending. What goes wrong is said in the dialog.
    void saveTo(const std::filesystem::path& path);
    void copy();
    QString message() const;

Q_SIGNALS:
    void saved(const QString& path);
    void refused(const QString& sentence);

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    FigureKind kind() const;
    FigureOptions options() const;
    QString ending() const;
    void build();
    void showFigure();
    void askWhere();
    void say(const QString& sentence, bool error);

    std::shared_ptr<const Snapshot> snapshot_;
    QString corpus_name_;
    Theme theme_;
    Background& background_;
    QComboBox* figures_;
    QButtonGroup *formats_, *scales_;
    QLabel *picture_, *size_, *message_, *scale_name_;
    QPlainTextEdit* text_;
    QStackedWidget* shown_;  // the picture, or the table
    QPushButton *copy_ = nullptr, *save_ = nullptr;
    bool showable_ = false;
};

}  // namespace moe::app
