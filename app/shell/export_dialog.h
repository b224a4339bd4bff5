#pragma once
#include "app/export/export_figure.h"

#include <QDialog>

#include <filesystem>
#include <memory>
#include <vector>

class QButtonGroup;
class QComboBox;
class QLabel;
class QPlainTextEdit;
class QPushButton;
class QStackedWidget;

namespace moe::app {

class Background;

/// Puts what renderFigure() gave on the clipboard: a picture as a picture, a table as text. GUI thread.
void toClipboard(FigureFormat format, const QByteArray& bytes);

/// A hairline around a picture that is looked at: where the paper ends.
void framePreview(QImage& image, const Theme& theme);

/// Chooses a figure and its format, shows it, and copies or saves it. Shows the run as it was when the dialog opened,
/// whatever trains on behind it. GUI thread; figures are made and written on a thread of their own.
class ExportDialog : public QDialog {
    Q_OBJECT

public:
    /// `options` carry the corpus's name and the stage's painter; format, scale and colours are chosen here.
    ExportDialog(std::vector<FigureSource> sources, std::shared_ptr<const Snapshot> snapshot, FigureOptions options,
                 const Theme& theme, Background& background, QWidget* parent);

    /// `id` is a view's; one that is not among the sources leaves the figure as it is.
    void choose(const QString& id, FigureFormat format, int scale);
    void chooseDarkPaper(bool dark);
    /// In the format of the path's ending. What goes wrong is said in the dialog.
    void saveTo(const std::filesystem::path& path);
    void copy();
    QString message() const;

Q_SIGNALS:
    void saved(const QString& path);
    void refused(const QString& sentence);
    void animationAsked(const QString& view);

protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    const FigureSource& source() const;
    FigureOptions options() const;
    QString ending() const;
    void build();
    void showFigure();
    void askWhere();
    void say(const QString& sentence, bool error);

    std::vector<FigureSource> sources_;
    std::shared_ptr<const Snapshot> snapshot_;
    FigureOptions given_;
    Theme theme_;
    Background& background_;
    QComboBox* figures_;
    QButtonGroup *formats_, *scales_, *papers_;
    QLabel *picture_, *size_, *message_, *scale_name_, *paper_name_;
    QPlainTextEdit* text_;
    QStackedWidget* shown_;  // the picture, or the table
    QPushButton *copy_ = nullptr, *save_ = nullptr, *animate_ = nullptr;
    bool showable_ = false;
};

}  // namespace moe::app
