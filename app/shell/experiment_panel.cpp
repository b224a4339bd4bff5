#include "app/shell/experiment_panel.h"

#include "app/models/run_settings.h"
#include "app/models/text_format.h"
#include "app/shell/style.h"
#include "engine/core/activation.h"
#include "engine/core/checked.h"
#include "engine/core/family.h"
#include "engine/core/numbers.h"

#include <QButtonGroup>
#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QVBoxLayout>

#include <algorithm>

namespace moe::app {

namespace {

QLabel* plainLabel(const QString& text, const char* role, QWidget* parent) {
    auto* label = new QLabel(text, parent);
    label->setTextFormat(Qt::PlainText);
    setRole(label, role);
    return label;
}

/// The engine's sentence with the names that the fields have here.
QString inFieldNames(QString sentence) {
    for (const ExperimentField& field : ExperimentDraft::fields())
        sentence.replace(QRegularExpression(QStringLiteral("\\b%1\\b").arg(QLatin1String(field.key))),
                         QStringLiteral("“%1”").arg(field.label));
    return sentence;
}

}  // namespace

ExperimentPanel::ExperimentPanel(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(20, 12, 20, 12);
    column->setSpacing(0);
    column->addWidget(plainLabel(tr("Experiment"), "quietHeading", this));
    column->addSpacing(8);
    auto* grid = new QGridLayout;
    grid->setVerticalSpacing(5);
    grid->setHorizontalSpacing(12);
    const QString names[] = {tr("Experts"), tr("Hidden width"), tr("Gate"), tr("Learning rate"), tr("Balance loss")};
    for (const QString& name : names) {
        const int row = int(rows_.size());
        auto* label = plainLabel(name, "label", this);
        if (row == 2) gate_ = label;
        grid->addWidget(label, row, 0);
        rows_.push_back(plainLabel({}, "label", this));
        rows_.back()->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
        rows_.back()->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
        grid->addWidget(rows_.back(), row, 1);
    }
    grid->setColumnStretch(1, 1);
    column->addLayout(grid);
    column->addSpacing(8);
    change_ = new QPushButton(tr("Change…"), this);
    setRole(change_, "link");
    change_->setFocusPolicy(Qt::TabFocus);
    change_->setToolTip(tr("Experts, gate, widths, learning rate, batch and more"));
    connect(change_, &QPushButton::clicked, this, &ExperimentPanel::changeAsked);
    auto* own = new QPushButton(tr("Own text…"), this);
    setRole(own, "link");
    own->setFocusPolicy(Qt::TabFocus);
    own->setToolTip(tr("Train on a text of your own: open, paste or drop it"));
    connect(own, &QPushButton::clicked, this, &ExperimentPanel::ownTextAsked);
    auto* links = new QHBoxLayout;
    links->setSpacing(16);
    links->addWidget(change_);
    links->addWidget(own);
    links->addStretch();
    column->addLayout(links);
}

void ExperimentPanel::showSnapshot(const Snapshot& snapshot) {
    const Experiment& x = snapshot.experiment;
    const auto set = [this](int row, const QString& full) {
        QLabel* label = value(row);
        const QString text = label->width() > 40 ? elided(QFontMetricsF(label->font()), full, label->width()) : full;
        if (label->text() != text) label->setText(text);
        if (label->toolTip() != full) label->setToolTip(text == full ? QString() : full.toHtmlEscaped());
    };
    set(0, countText(x.model.num_experts));
    set(1, countText(x.model.hidden_dim));
    set(2, gateName(x.model));
    gate_->setText(routes_tokens(x.model) ? tr("Gate of a word") : tr("Gate"));
    set(3, QString::fromStdString(to_text(x.train.learning_rate)));
    set(4, ExperimentDraft::balanceText(x.model.balance_loss));
}

ExperimentEditor::ExperimentEditor(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(20, 20, 20, 16);
    column->setSpacing(0);
    column->addWidget(plainLabel(tr("Experiment"), "question", this));
    column->addSpacing(12);
    auto* grid = new QGridLayout;
    grid->setVerticalSpacing(8);
    grid->setHorizontalSpacing(8);
    int line = 0;
    bool live = false;
    for (const ExperimentField& field : ExperimentDraft::fields()) {
        if (!field.needs_new_model && !live) {
            live = true;
            auto* heading = plainLabel(tr("Applied at once"), "quietHeading", this);
            grid->addWidget(heading, line++, 0, 1, 2);
        }
        Row row;
        row.field = &field;
        row.name = plainLabel(field.label, "label", this);
        row.name->setToolTip(field.help.toHtmlEscaped());
        const std::size_t index = rows_.size();
        if (field.kind == ExperimentField::Kind::truth) {
            row.check = new QCheckBox(field.label, this);
            row.check->setToolTip(field.help.toHtmlEscaped());
            connect(row.check, &QCheckBox::toggled, this, [this, index](bool on) {
                take(rows_[index], on ? QStringLiteral("true") : QStringLiteral("false"));
            });
            row.name->hide();
            grid->addWidget(row.check, line++, 0, 1, 2);
        } else if (field.kind == ExperimentField::Kind::gate || field.kind == ExperimentField::Kind::family) {
            auto* group = new QButtonGroup(this);
            auto* pair = new QHBoxLayout;
            pair->setSpacing(4);
            const auto segment = [&](const QString& text, const QString& value) {
                auto* b = new QPushButton(text, this);
                b->setCheckable(true);
                b->setProperty("value", value);
                setRole(b, "segment");
                b->setToolTip(field.help.toHtmlEscaped());
                group->addButton(b);
                pair->addWidget(b);
                connect(b, &QPushButton::clicked, this, [this, index, value] { take(rows_[index], value); });
                return b;
            };
            if (field.kind == ExperimentField::Kind::gate) {
                row.first = segment(tr("soft"), QStringLiteral("soft"));
                row.second = segment(tr("top-k"), QStringLiteral("top_k"));
            } else {
                static_assert(families.size() == 2);
                for (const FamilyInfo& f : families)
                    (row.first ? row.second : row.first) =
                        segment(QString::fromUtf8(f.title.data(), qsizetype(f.title.size())),
                                QString::fromUtf8(f.id.data(), qsizetype(f.id.size())));
            }
            if (field.kind == ExperimentField::Kind::gate) {
                grid->addWidget(row.name, line, 0);
                grid->addLayout(pair, line++, 1);
            } else {  // its two names need more room than numbers
                pair->insertWidget(0, row.name);
                pair->insertStretch(1, 1);
                grid->addLayout(pair, line++, 0, 1, 2);
            }
        } else if (field.kind == ExperimentField::Kind::activation) {
            row.choice = new QComboBox(this);
            for (const ActivationInfo& a : activations)
                row.choice->addItem(QString::fromUtf8(a.title.data(), qsizetype(a.title.size())),
                                    QString::fromUtf8(a.name.data(), qsizetype(a.name.size())));
            row.choice->setToolTip(field.help.toHtmlEscaped());
            row.choice->setAccessibleName(field.label);
            row.choice->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
            row.name->setBuddy(row.choice);
            connect(row.choice, &QComboBox::activated, this,
                    [this, index] { take(rows_[index], rows_[index].choice->currentData().toString()); });
            // Names of functions need more room than numbers: a line of their own.
            grid->addWidget(row.name, line++, 0, 1, 2);
            grid->addWidget(row.choice, line++, 0, 1, 2);
        } else {
            row.edit = new QLineEdit(this);
            row.edit->setAlignment(Qt::AlignRight);
            row.edit->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
            row.edit->setToolTip(field.help.toHtmlEscaped());
            row.edit->setAccessibleName(field.label);
            row.edit->installEventFilter(this);
            row.name->setBuddy(row.edit);
            connect(row.edit, &QLineEdit::textEdited, this,
                    [this, index](const QString& text) { take(rows_[index], text); });
            connect(row.edit, &QLineEdit::editingFinished, this, [this, index] { commitLive(rows_[index]); });
            grid->addWidget(row.name, line, 0);
            grid->addWidget(row.edit, line++, 1);
        }
        rows_.push_back(row);
    }
    grid->setColumnMinimumWidth(1, 88);
    grid->setColumnStretch(0, 1);
    column->addLayout(grid);
    column->addSpacing(12);
    problem_ = plainLabel({}, "error", this);
    cost_ = plainLabel({}, "caption", this);
    again_ = plainLabel(tr("This starts again from step 0 with the same seed."), "label", this);
    for (QLabel* label : {problem_, cost_, again_}) {
        label->setWordWrap(true);
        column->addWidget(label);
        column->addSpacing(6);
    }
    start_ = new QPushButton(tr("Start again"), this);
    setRole(start_, "primary");
    connect(start_, &QPushButton::clicked, this, [this] { Q_EMIT restartAsked(draft_.experiment()); });
    close_ = new QPushButton(tr("Close"), this);
    setRole(close_, "quiet");
    connect(close_, &QPushButton::clicked, this, &ExperimentEditor::closed);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addWidget(start_, 1);
    buttons->addWidget(close_, 1);
    column->addSpacing(6);
    column->addLayout(buttons);
    column->addStretch(1);
}

QLineEdit* ExperimentEditor::field(const char* key) const {
    for (const Row& row : rows_)
        if (std::string_view(row.field->key) == key) return row.edit;
    return nullptr;
}

void ExperimentEditor::edit(const Experiment& running, std::shared_ptr<const Corpus> corpus) {
    running_ = running;
    draft_ = ExperimentDraft(running, std::move(corpus));
    refused_.clear();
    for (Row& row : rows_) {
        const QString value = draft_.value(row.field->key);
        if (row.edit) row.edit->setText(value);
        if (row.check) row.check->setChecked(value == QStringLiteral("true"));
        if (row.choice) row.choice->setCurrentIndex(row.choice->findData(value));
        if (row.first) (value == row.first->property("value") ? row.first : row.second)->setChecked(true);
    }
    refresh();
}

void ExperimentEditor::follow(const Experiment& running) {
    if (running == running_) return;
    ExperimentDraft now(running, nullptr);
    for (Row& row : rows_) {
        if (row.field->needs_new_model || !row.edit || (row.edit->hasFocus() && row.edit->isModified())) continue;
        const QString value = now.value(row.field->key);
        if (row.edit->text() == value) continue;
        row.edit->setText(value);
        take(row, value);
    }
    running_ = running;
}

void ExperimentEditor::refuse(const QString& sentence) {
    problem_->setText(sentence);
    problem_->setVisible(!sentence.isEmpty());
}

void ExperimentEditor::take(Row& row, const QString& value) {
    std::erase_if(refused_, [&](const auto& r) { return r.first == row.field->key; });
    const QString sentence = draft_.set(row.field->key, value);
    if (!sentence.isEmpty()) refused_.emplace_back(row.field->key, sentence);
    if (row.edit) {
        row.edit->setProperty("bad", !sentence.isEmpty());
        row.edit->style()->unpolish(row.edit);
        row.edit->style()->polish(row.edit);
    }
    refresh();
}

void ExperimentEditor::commitLive(Row& row) {
    if (row.field->needs_new_model) return;
    ExperimentDraft now(running_, nullptr);
    const QString before = now.value(row.field->key), after = draft_.value(row.field->key);
    if (before == after || row.edit->text().trimmed().isEmpty()) return;
    if (!now.set(row.field->key, after).isEmpty() || !now.problem().isEmpty()) return;
    running_ = now.experiment();
    row.edit->setModified(false);
    Q_EMIT liveChanged(row.field->key, before, after);
}

// Up and Down: whole numbers by one, the others by a factor.
void ExperimentEditor::step(Row& row, int direction) {
    double number = 0;
    if (!parse_number(row.edit->text().trimmed().toStdString(), number)) return;
    if (row.field->kind == ExperimentField::Kind::whole)
        number += direction;
    else
        number = number > 0 ? (direction > 0 ? number * 2 : number / 2) : (direction > 0 ? 0.01 : 0);
    if (number < 0) return;
    const QString text = QString::fromStdString(to_text(number));
    row.edit->setText(text);
    take(row, text);
    commitLive(row);
}

bool ExperimentEditor::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        for (Row& row : rows_) {
            if (row.edit != watched || (key != Qt::Key_Up && key != Qt::Key_Down)) continue;
            step(row, key == Qt::Key_Up ? 1 : -1);
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

void ExperimentEditor::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape) {
        Q_EMIT closed();
    } else if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && start_->isVisible() &&
               start_->isEnabled()) {
        start_->click();
    } else {
        QWidget::keyPressEvent(event);
    }
}

void ExperimentEditor::refresh() {
    const QString problem = refused_.empty() ? draft_.problem() : refused_.front().second;
    problem_->setText(inFieldNames(problem));
    problem_->setVisible(!problem.isEmpty());
    const bool fresh = draft_.needsNewModel();
    again_->setVisible(fresh);
    start_->setVisible(fresh);
    start_->setEnabled(fresh && problem.isEmpty());
    close_->setText(fresh ? tr("Cancel") : tr("Close"));
    QString cost;
    if (problem.isEmpty()) {
        try {
            const ExperimentCost c = draft_.cost();
            cost = tr("Parameters: %1, %2 to train. Steps an epoch: %3.")
                       .arg(countText(c.parameters), QString::fromStdString(format_bytes(c.bytes)),
                            countText(c.steps_per_epoch));
        } catch (const std::exception&) {
            // The problem above says it.
        }
    }
    cost_->setText(cost);
    cost_->setVisible(!cost.isEmpty());
    for (Row& row : rows_)
        if (std::string_view(row.field->key) == "top_k") {
            const bool sparse = draft_.experiment().model.router != "soft";
            row.name->setEnabled(sparse);
            row.edit->setEnabled(sparse);
        }
}

}  // namespace moe::app
