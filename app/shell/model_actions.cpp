#include "app/shell/model_actions.h"

#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "app/shell/corpus_dialog.h"

#include <QFileDialog>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QUrl>

#include <algorithm>

namespace moe::app {

namespace {

std::filesystem::path pathOf(const QString& text) {
    return std::filesystem::path(text.toStdString());
}

bool endsAsModel(const std::filesystem::path& path) {
    const std::filesystem::path ending = path.extension();
    return ending == ".keras" || ending == ".h5" || ending == ".hdf5";
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
    look(path, {});
}

void ModelActions::openRecent(const std::filesystem::path& path, std::function<void()> missing) {
    look(path, std::move(missing));
}

void ModelActions::look(const std::filesystem::path& path, std::function<void()> missing) {
    const std::uint64_t asked = ++looks_;
    const QString name = QString::fromStdString(path.filename().string());
    Q_EMIT bench_.working(tr("Reading %1 …").arg(name));
    bench_.background().run(
        [this, asked, path, name, missing = std::move(missing)]() -> Background::Finish {
            std::error_code none;
            const auto status = std::filesystem::status(path, none);
            const bool model = endsAsModel(path) || std::filesystem::is_directory(status);
            return [this, asked, path, name, missing, model, there = std::filesystem::exists(status)] {
                if (asked != looks_) return;
                Q_EMIT bench_.working({});
                if (there || !missing) return openAs(path, model);
                missing();
                Q_EMIT bench_.refused(tr("%1 is no longer in %2, so it was taken off the list.")
                                          .arg(name, QString::fromStdString(path.parent_path().string())));
            };
        },
        [this, asked](const QString& sentence) {
            if (asked != looks_) return;
            Q_EMIT bench_.working({});
            Q_EMIT bench_.refused(sentence);
        });
}

void ModelActions::openAs(const std::filesystem::path& path, bool model) {
    if (model) return beforeLeaving([this, path] { bench_.openModel(path); });
    CorpusDialog* dialog = makeCorpusDialog();
    dialog->openFile(path);
    dialog->open();
}

void ModelActions::restore(const std::filesystem::path& autosave, std::function<void(const QString&)> done) {
    bench_.restore(autosave, [this, done = std::move(done)](const QString& error) {
        if (!error.isEmpty()) Q_EMIT bench_.refused(error);
        done(error);
    });
}

QMessageBox* ModelActions::ask(const char* name, const QString& text, const QString& more) {
    auto* box = new QMessageBox(window_);
    box->setObjectName(QString::fromLatin1(name));
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
    bench_.saveModel(file, done, [this, file, done] { askToOverwrite(file, done); });
}

void ModelActions::askToOverwrite(const std::filesystem::path& file, const std::function<void()>& done) {
    QMessageBox* box =
        ask("overwrite", tr("%1 was changed by somebody else.").arg(QString::fromStdString(file.filename().string())),
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

void ModelActions::exportForKeras() {
    auto* dialog = new QFileDialog(window_, tr("Export for Keras"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setFileMode(QFileDialog::AnyFile);
    const QString code = tr("Python that builds the model, its weights beside it (*.py)"),
                  classes = tr("Model in the tutorial's classes, moe_layers.py beside it (*.keras)");
    dialog->setNameFilters({code, classes});
    const auto follow = [dialog, classes](const QString& filter) {
        dialog->setDefaultSuffix(filter == classes ? QStringLiteral("keras") : QStringLiteral("py"));
        dialog->selectFile(filter == classes ? QStringLiteral("tutorial.keras") : QStringLiteral("mixture.py"));
    };
    connect(dialog, &QFileDialog::filterSelected, this, follow);
    follow(code);
    connect(dialog, &QFileDialog::fileSelected, this, [this, dialog, classes](const QString& file) {
        exportForKeras(pathOf(file), dialog->selectedNameFilter() == classes ? Workbench::KerasExport::classes
                                                                             : Workbench::KerasExport::code);
    });
    dialog->open();
}

void ModelActions::exportForKeras(const std::filesystem::path& path, Workbench::KerasExport kind) {
    bench_.exportForKeras(path, kind, [this, path, kind](const QString& name) {
        QMessageBox* box =
            ask("replace_beside", tr("%1 is already there, and holds something else.").arg(name),
                tr("%1 needs a file of that name beside it.").arg(QString::fromStdString(path.filename().string())));
        auto* replace = box->addButton(tr("Replace"), QMessageBox::DestructiveRole);
        auto* other = box->addButton(tr("Another place…"), QMessageBox::AcceptRole);
        box->addButton(tr("Cancel"), QMessageBox::RejectRole);
        box->setDefaultButton(other);
        connect(box, &QMessageBox::buttonClicked, this, [this, replace, other, path, kind](QAbstractButton* pressed) {
            if (pressed == replace) bench_.exportForKeras(path, kind, {});
            if (pressed == other) exportForKeras();
        });
        box->open();
    });
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
    const QList<QUrl> urls = data.urls();
    // An address is a text too, but not one to learn from.
    return urls.isEmpty() ? data.hasText() : std::ranges::any_of(urls, &QUrl::isLocalFile);
}

void ModelActions::drop(const QMimeData& data) {
    QStringList files;
    for (const QUrl& url : data.urls())
        if (url.isLocalFile()) files << url.toLocalFile();
    if (files.size() > 1)
        Q_EMIT bench_.refused(tr("%1 files were dropped, and a window opens one at a time; drop one of them.")
                                  .arg(countText(std::uint64_t(files.size()))));
    else if (!files.isEmpty())
        openPath(pathOf(files.front()));
    else if (data.hasText())
        ownText(data.text());
}

void ModelActions::beforeLeaving(std::function<void()> leave) {
    if (!bench_.hasUnsavedWork()) {
        leave();
        return;
    }
    QMessageBox* box = bench_.hasUnsavedTraining()
                           ? ask("unsaved_training", tr("The model has learned since it was last saved."),
                                 tr("Save it before it goes?"))
                           : ask("unsaved_notes", tr("The notes have changed since they were last saved."),
                                 tr("Save them before they go?"));
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
