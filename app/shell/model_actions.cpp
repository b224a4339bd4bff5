#include "app/shell/model_actions.h"

#include "app/shell/corpus_dialog.h"

#include <QFileDialog>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QUrl>

namespace moe::app {

namespace {

std::filesystem::path pathOf(const QString& text) {
    return std::filesystem::path(text.toStdString());
}

bool isModel(const std::filesystem::path& path) {
    std::error_code none;
    const std::filesystem::path ending = path.extension();
    return ending == ".keras" || ending == ".h5" || ending == ".hdf5" || std::filesystem::is_directory(path, none);
}

}  // namespace

ModelActions::ModelActions(Workbench& bench, SessionOptions options, QWidget* window)
    : QObject(window), bench_(bench), options_(std::move(options)), window_(window) {}

void ModelActions::open() {
    auto* dialog = new QFileDialog(window_, tr("Open a session, a model or a text"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    dialog->setNameFilters(
        {tr("Sessions, models and texts (*.keras *.h5 *.hdf5 *.txt *.md *.csv)"), tr("All files (*)")});
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& file) { openPath(pathOf(file)); });
    dialog->open();
}

void ModelActions::openPath(const std::filesystem::path& path) {
    if (isModel(path)) {
        beforeLeaving([this, path] { bench_.openModel(path); });
        return;
    }
    CorpusDialog* dialog = makeCorpusDialog();
    dialog->openFile(path);
    dialog->open();
}

void ModelActions::openRecent(const std::filesystem::path& path, std::function<void()> missing) {
    bench_.background().run(
        [this, path, missing = std::move(missing)]() -> Background::Finish {
            std::error_code none;
            const bool there = std::filesystem::exists(path, none);
            return [this, path, there, missing] {
                if (there) return openPath(path);
                missing();
                Q_EMIT bench_.refused(tr("%1 is no longer in %2, so it was taken off the list.")
                                          .arg(QString::fromStdString(path.filename().string()),
                                               QString::fromStdString(path.parent_path().string())));
            };
        },
        [this](const QString& sentence) { Q_EMIT bench_.refused(sentence); });
}

void ModelActions::restore(const std::filesystem::path& autosave, std::function<void(const QString&)> done) {
    bench_.restore(autosave, [this, done = std::move(done)](const QString& error) {
        if (!error.isEmpty()) Q_EMIT bench_.refused(error);
        done(error);
    });
}

QMessageBox* ModelActions::ask(const QString& text, const QString& more) {
    auto* box = new QMessageBox(window_);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setIcon(QMessageBox::NoIcon);
    box->setWindowTitle(QStringLiteral("MoE Lab"));
    box->setTextFormat(Qt::PlainText);
    box->setText(text);
    box->setInformativeText(more);
    question_ = box;
    return box;
}

void ModelActions::save(std::function<void()> done) {
    const std::filesystem::path file = bench_.identity().file;
    if (file.extension() != ".keras") {  // none yet, or Keras's legacy format, which is read alone
        saveAs(std::move(done));
        return;
    }
    if (!bench_.fileChangedOutside()) {
        bench_.saveModel(file, std::move(done));
        return;
    }
    QMessageBox* box = ask(tr("%1 was changed by somebody else.").arg(QString::fromStdString(file.filename().string())),
                           tr("Overwriting it loses that change. Save As keeps both."));
    auto* overwrite = box->addButton(tr("Overwrite"), QMessageBox::DestructiveRole);
    auto* other = box->addButton(tr("Save As…"), QMessageBox::AcceptRole);
    box->addButton(tr("Cancel"), QMessageBox::RejectRole);
    box->setDefaultButton(other);
    connect(box, &QMessageBox::buttonClicked, this, [this, overwrite, other, file, done](QAbstractButton* pressed) {
        if (pressed == overwrite) bench_.saveModel(file, done);
        if (pressed == other) saveAs(done);
    });
    box->open();
}

void ModelActions::saveAs(std::function<void()> done) {
    auto* dialog = new QFileDialog(window_, tr("Save the session"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setFileMode(QFileDialog::AnyFile);
    dialog->setDefaultSuffix(QStringLiteral("keras"));
    dialog->setNameFilter(tr("Sessions, which Keras opens as models (*.keras)"));
    dialog->selectFile(QStringLiteral("model.keras"));
    connect(dialog, &QFileDialog::fileSelected, this,
            [this, done](const QString& file) { bench_.saveModel(pathOf(file), done); });
    dialog->open();
}

CorpusDialog* ModelActions::makeCorpusDialog() {
    if (corpus_dialog_) corpus_dialog_->close();
    auto* dialog = new CorpusDialog(presentExperiment(bench_.session().live()), options_, bench_.background(), window_);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    corpus_dialog_ = dialog;
    connect(dialog, &CorpusDialog::chosen, this, [this, dialog](const std::shared_ptr<const Corpus>& corpus) {
        const QPointer<CorpusDialog> open = dialog;
        bench_.useCorpus(corpus, [open](const QString& error) {
            if (!open) return;
            if (error.isEmpty())
                open->accept();
            else
                open->refuse(error);
        });
    });
    return dialog;
}

void ModelActions::ownText(const QString& pasted) {
    CorpusDialog* dialog = makeCorpusDialog();
    if (!pasted.isEmpty()) dialog->setText(pasted);
    dialog->open();
}

bool ModelActions::takes(const QMimeData& data) {
    for (const QUrl& url : data.urls())
        if (url.isLocalFile()) return true;
    return data.hasText();
}

void ModelActions::drop(const QMimeData& data) {
    for (const QUrl& url : data.urls()) {
        if (!url.isLocalFile()) continue;
        openPath(pathOf(url.toLocalFile()));
        return;
    }
    if (data.hasText()) ownText(data.text());
}

void ModelActions::beforeLeaving(std::function<void()> leave) {
    if (!bench_.hasUnsavedWork()) {
        leave();
        return;
    }
    QMessageBox* box =
        bench_.hasUnsavedTraining()
            ? ask(tr("The model has learned since it was last saved."), tr("Save it before it goes?"))
            : ask(tr("The notes have changed since they were last saved."), tr("Save them before they go?"));
    auto* keep = box->addButton(tr("Save"), QMessageBox::AcceptRole);
    auto* lose = box->addButton(tr("Do not save"), QMessageBox::DestructiveRole);
    box->addButton(tr("Cancel"), QMessageBox::RejectRole);
    box->setDefaultButton(keep);
    connect(box, &QMessageBox::buttonClicked, this, [this, keep, lose, leave](QAbstractButton* pressed) {
        if (pressed == keep) save(leave);
        if (pressed == lose) leave();
    });
    box->open();
}

}  // namespace moe::app
