#include "app/shell/export_dialog.h"

#include "app/models/moment_text.h"
#include "app/models/text_format.h"
#include "app/shell/background.h"
#include "app/shell/style.h"
#include "engine/core/checked.h"

#include <QApplication>
#include <QButtonGroup>
#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QPainter>
#include <QPlainTextEdit>
#include <QPointer>
#include <QPushButton>
#include <QStackedWidget>
#include <QStandardPaths>
#include <QVBoxLayout>

namespace moe::app {

namespace {

constexpr const char* endings[] = {"png", "svg", "pdf", "csv"};
constexpr int most_preview = 6000;  // characters of a table

}  // namespace

void toClipboard(FigureFormat format, const QByteArray& bytes) {
    static constexpr const char* types[] = {"image/png", "image/svg+xml", "application/pdf", "text/csv"};
    auto* mime = new QMimeData;
    if (format == FigureFormat::png) mime->setImageData(QImage::fromData(bytes, "PNG"));
    mime->setData(QString::fromLatin1(types[int(format)]), bytes);
    if (format == FigureFormat::csv) mime->setText(QString::fromUtf8(bytes));
    QApplication::clipboard()->setMimeData(mime);
}

void framePreview(QImage& image, const Theme& theme) {
    QPainter painter(&image);
    painter.setPen(QPen(theme.hairline, 1));
    painter.drawRect(
        QRectF(QPointF(0, 0), QSizeF(image.size()) / image.devicePixelRatio()).adjusted(0.5, 0.5, -0.5, -0.5));
}

ExportDialog::ExportDialog(std::vector<FigureSource> sources, std::shared_ptr<const Snapshot> snapshot,
                           FigureOptions options, const Theme& theme, Background& background, QWidget* parent)
    : QDialog(parent),
      sources_(std::move(sources)),
      snapshot_(std::move(snapshot)),
      given_(std::move(options)),
      theme_(theme),
      background_(background) {
    setWindowTitle(tr("Export"));
    build();
    resize(int(theme_.px(860)), int(theme_.px(560)));
    showFigure();
}

void ExportDialog::build() {
    figures_ = new QComboBox(this);
    for (const FigureSource& source : sources_) figures_->addItem(source.name);
    figures_->setAccessibleName(tr("Figure"));
    connect(figures_, &QComboBox::currentIndexChanged, this, &ExportDialog::showFigure);

    const auto caption = [this](const QString& text) {
        auto* label = new QLabel(text, this);
        setRole(label, "caption");
        return label;
    };
    const auto segments = [this](QButtonGroup*& group, const std::vector<std::pair<QString, int>>& items) {
        group = new QButtonGroup(this);
        auto* row = new QHBoxLayout;
        row->setSpacing(4);
        for (const auto& [text, id] : items) {
            auto* button = new QPushButton(text, this);
            button->setCheckable(true);
            setRole(button, "segment");
            group->addButton(button, id);
            row->addWidget(button);
        }
        row->addStretch();
        connect(group, &QButtonGroup::idToggled, this, [this](int, bool on) {
            if (on) showFigure();
        });
        return row;
    };

    auto* choices = new QVBoxLayout;
    choices->setSpacing(6);
    choices->addWidget(caption(tr("Figure")));
    choices->addWidget(figures_);
    choices->addSpacing(10);
    choices->addWidget(caption(tr("Format")));
    choices->addLayout(segments(formats_, {{QStringLiteral("PNG"), int(FigureFormat::png)},
                                           {QStringLiteral("SVG"), int(FigureFormat::svg)},
                                           {QStringLiteral("PDF"), int(FigureFormat::pdf)},
                                           {QStringLiteral("CSV"), int(FigureFormat::csv)}}));
    choices->addSpacing(10);
    choices->addWidget(scale_name_ = caption(tr("Pixels")));
    choices->addLayout(
        segments(scales_, {{QStringLiteral("1×"), 1}, {QStringLiteral("2×"), 2}, {QStringLiteral("4×"), 4}}));
    choices->addWidget(size_ = caption({}));
    choices->addSpacing(10);
    choices->addWidget(paper_name_ = caption(tr("Paper")));
    choices->addLayout(segments(papers_, {{tr("White"), 0}, {tr("Dark"), 1}}));
    size_->setWordWrap(true);
    choices->addSpacing(10);
    animate_ = new QPushButton(tr("The run as an animation…"), this);
    animate_->setToolTip(tr("This view over all the steps, as one file or numbered pictures"));
    setRole(animate_, "link");
    connect(animate_, &QPushButton::clicked, this, [this] { Q_EMIT animationAsked(source().id); });
    choices->addWidget(animate_, 0, Qt::AlignLeft);
    choices->addStretch();
    auto* moment = caption(tr("As it was at %1").arg(momentText(*snapshot_)));
    moment->setWordWrap(true);
    choices->addWidget(moment);
    formats_->button(int(FigureFormat::png))->setChecked(true);
    scales_->button(2)->setChecked(true);
    papers_->button(0)->setChecked(true);

    picture_ = new QLabel(this);
    picture_->setAlignment(Qt::AlignCenter);
    picture_->setTextFormat(Qt::PlainText);
    picture_->setWordWrap(true);
    picture_->setMinimumSize(int(theme_.px(320)), int(theme_.px(220)));
    picture_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Ignored);
    text_ = new QPlainTextEdit(this);
    text_->setReadOnly(true);
    text_->setLineWrapMode(QPlainTextEdit::NoWrap);
    text_->setAccessibleName(tr("The table"));

    message_ = new QLabel(this);
    message_->setTextFormat(Qt::PlainText);
    message_->setWordWrap(true);
    message_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    copy_ = new QPushButton(tr("Copy"), this);
    copy_->setToolTip(tr("Puts the figure on the clipboard"));
    save_ = new QPushButton(tr("Save…"), this);
    setRole(save_, "primary");
    save_->setDefault(true);
    auto* close = new QPushButton(tr("Close"), this);
    setRole(close, "quiet");
    connect(copy_, &QPushButton::clicked, this, &ExportDialog::copy);
    connect(save_, &QPushButton::clicked, this, &ExportDialog::askWhere);
    connect(close, &QPushButton::clicked, this, &QDialog::reject);

    auto* middle = new QHBoxLayout;
    middle->setSpacing(20);
    middle->addLayout(choices);
    shown_ = new QStackedWidget(this);
    shown_->addWidget(picture_);
    shown_->addWidget(text_);
    middle->addWidget(shown_, 1);
    auto* foot = new QHBoxLayout;
    foot->setSpacing(8);
    foot->addWidget(message_, 1);
    foot->addWidget(close);
    foot->addWidget(copy_);
    foot->addWidget(save_);
    auto* rows = new QVBoxLayout(this);
    rows->setContentsMargins(20, 20, 20, 20);
    rows->setSpacing(16);
    rows->addLayout(middle, 1);
    rows->addLayout(foot);
    scaleLayouts(this, theme_.scale);
}

const FigureSource& ExportDialog::source() const {
    return sources_[std::size_t(std::max(0, figures_->currentIndex()))];
}

FigureOptions ExportDialog::options() const {
    FigureOptions options = given_;
    options.format = FigureFormat(std::max(0, formats_->checkedId()));
    options.scale = std::max(1, scales_->checkedId());
    options.theme = papers_->checkedId() == 1 ? Theme::darkTheme() : Theme::light();
    return options;
}

QString ExportDialog::ending() const {
    return QString::fromLatin1(endings[int(options().format)]);
}

QString ExportDialog::message() const {
    return message_->text();
}

void ExportDialog::choose(const QString& id, FigureFormat format, int scale) {
    for (std::size_t i = 0; i < sources_.size(); ++i)
        if (sources_[i].id == id) figures_->setCurrentIndex(int(i));
    if (QAbstractButton* button = formats_->button(int(format))) button->setChecked(true);
    if (QAbstractButton* button = scales_->button(scale)) button->setChecked(true);
}

void ExportDialog::chooseDarkPaper(bool dark) {
    papers_->button(dark ? 1 : 0)->setChecked(true);
}

void ExportDialog::resizeEvent(QResizeEvent* event) {
    QDialog::resizeEvent(event);
    if (layout()) layout()->activate();
    showFigure();
}

void ExportDialog::showEvent(QShowEvent* event) {
    QDialog::showEvent(event);
    if (layout()) layout()->activate();  // only now the picture has its room
    showFigure();
}

void ExportDialog::showFigure() {
    if (!save_) return;  // still building
    const FigureOptions chosen = options();
    const bool table = chosen.format == FigureFormat::csv, pixels = chosen.format == FigureFormat::png;
    for (QAbstractButton* button : scales_->buttons()) button->setVisible(pixels);
    scale_name_->setVisible(pixels);
    // A view as it stands has the window's colours.
    animate_->setVisible(source().of_any_moment);
    const bool paper = !table && source().of_any_moment;
    for (QAbstractButton* button : papers_->buttons()) button->setVisible(paper);
    paper_name_->setVisible(paper);
    size_->clear();
    say({}, false);
    try {
        if (table) {
            const QByteArray bytes = renderFigure(source(), *snapshot_, chosen);
            text_->setPlainText(QString::fromUtf8(bytes.left(most_preview)) +
                                (bytes.size() > most_preview ? QStringLiteral("…") : QString()));
            size_->setText(tr("%1 as a table").arg(QString::fromStdString(format_bytes(std::size_t(bytes.size())))));
        } else {
            const double ratio = devicePixelRatioF();
            QImage image = figureImage(source(), *snapshot_, chosen, (QSizeF(picture_->size()) * ratio).toSize());
            image.setDevicePixelRatio(ratio);
            framePreview(image, theme_);
            picture_->setPixmap(QPixmap::fromImage(image));
            picture_->setAccessibleName(source().name);
            const QSize size = figureSize(source(), *snapshot_, chosen) * (pixels ? chosen.scale : 1);
            if (pixels)
                size_->setText(
                    tr("%1 × %2 pixels")
                        .arg(countText(std::uint64_t(size.width())), countText(std::uint64_t(size.height()))));
        }
        showable_ = true;
    } catch (const std::exception& error) {
        picture_->setPixmap({});
        picture_->setText(QString::fromUtf8(error.what()));
        text_->setPlainText(QString::fromUtf8(error.what()));
        showable_ = false;
    }
    shown_->setCurrentWidget(table && showable_ ? static_cast<QWidget*>(text_) : picture_);
    copy_->setEnabled(showable_);
    save_->setEnabled(showable_);
}

void ExportDialog::say(const QString& sentence, bool error) {
    setRole(message_, error ? "error" : "caption");
    message_->setText(sentence);
}

void ExportDialog::copy() {
    if (!showable_) return;
    copy_->setEnabled(false);
    const QPointer<ExportDialog> open = this;
    const auto failed = [open](const QString& sentence) {
        if (!open) return;
        open->copy_->setEnabled(true);
        open->say(sentence, true);
    };
    background_.run(
        [open, source = source(), snapshot = snapshot_, chosen = options()]() -> Background::Finish {
            const QByteArray bytes = renderFigure(source, *snapshot, chosen);
            return [open, bytes, format = chosen.format] {
                if (!open) return;
                toClipboard(format, bytes);
                open->copy_->setEnabled(true);
                open->say(tr("Copied."), false);
            };
        },
        failed);
}

void ExportDialog::askWhere() {
    auto* dialog = new QFileDialog(this, tr("Save the figure"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setFileMode(QFileDialog::AnyFile);
    dialog->setDefaultSuffix(ending());
    dialog->setNameFilters({tr("%1 (*.%2)").arg(ending().toUpper(), ending()), tr("All files (*)")});
    dialog->selectFile(source().file + u'.' + ending());
    connect(dialog, &QFileDialog::fileSelected, this,
            [this](const QString& file) { saveTo(std::filesystem::path(file.toStdString())); });
    dialog->open();
}

void ExportDialog::saveTo(const std::filesystem::path& path) {
    if (!showable_) return;
    save_->setEnabled(false);
    const QPointer<ExportDialog> open = this;
    background_.run(
        [open, path, source = source(), snapshot = snapshot_, chosen = options()]() -> Background::Finish {
            exportFigure(source, *snapshot, path, chosen);
            return [open, path] {
                if (!open) return;
                const QString name = QString::fromStdString(path.filename().string());
                open->save_->setEnabled(true);
                open->say(tr("Saved %1.").arg(shownText(name)), false);
                Q_EMIT open->saved(QString::fromStdString(path.string()));
            };
        },
        [open](const QString& sentence) {
            if (!open) return;
            open->save_->setEnabled(true);
            open->say(sentence, true);
            Q_EMIT open->refused(sentence);
        });
}

}  // namespace moe::app
