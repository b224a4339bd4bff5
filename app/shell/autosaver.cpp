#include "app/shell/autosaver.h"
#include "app/models/run_settings.h"

namespace moe::app {

Autosaver::Autosaver(Workbench& bench, AutosaveOptions options, QObject* parent)
    : QObject(parent), bench_(bench), options_(std::move(options)), background_(std::make_unique<Background>()) {
    if (options_.root.empty()) return;
    connect(&bench_, &Workbench::settled, this, [this](std::uint64_t step) { settled_step_ = step; });
    // What is changed while a file is written is not in it.
    connect(&bench_, &Workbench::saveBegun, this, [this](int number) { begun_.emplace(number, present()); });
    connect(&bench_, &Workbench::saveKept, this, [this](int number, std::uint64_t step) {
        if (!begun_ || begun_->first != number) return;
        settled_ = std::move(begun_->second);
        settled_->step = step;
        begun_.reset();
        settled_step_.reset();
    });
    connect(&timer_, &QTimer::timeout, this, &Autosaver::look);
    since_touch_.start();
    timer_.start(options_.look);
}

Autosaver::~Autosaver() {
    background_.reset();  // waits
    for (const auto& slot : {slot_, adopted_})
        if (slot && in_peace_) slot->remove();
}

Autosaver::Mark Autosaver::present() const {
    const SessionController& session = bench_.session();
    const Snapshot& s = session.live();
    Mark mark{
        s.generation,  s.step, presentExperiment(s), session.corpus(), session.probeText(), session.focusedPrefix(),
        bench_.scene()};
    // What is only looked at is no change of the session.
    mark.scene.speed = 0;
    mark.scene.expert.reset();
    mark.scene.looked_at.reset();
    mark.scene.stepping.reset();
    mark.scene.arrangement.clear();
    return mark;
}

void Autosaver::look() {
    if (!working_ && slot_ && since_touch_.elapsed() > options_.touch) {
        since_touch_.start();
        run([](AutosaveSlot* slot) { slot->touch(); }, false, {});
    }
    if (working_ || bench_.busy() || bench_.session().live().state == SessionState::empty) return;
    const Mark now = present();
    if (settled_step_) {
        settled_ = now;
        settled_->step = *std::exchange(settled_step_, {});
    }
    if (now == settled_ || now == kept_) {
        since_change_.invalidate();
        if (now == settled_ && kept_) clear();
        return;
    }
    if (!since_change_.isValid()) since_change_.start();
    const std::optional<Mark>& before = kept_ ? kept_ : settled_;
    bool edited = true;
    if (before) {
        Mark trained = *before;
        trained.step = now.step;
        edited = trained != now;
    }
    const qint64 waited =
        since_write_.isValid() ? std::min(since_change_.elapsed(), since_write_.elapsed()) : since_change_.elapsed();
    if (waited + options_.look > (edited ? options_.after_edit : options_.after_training)) write(now);
}

void Autosaver::write(const Mark& mark) {
    working_ = true;
    since_write_.start();
    since_change_.invalidate();
    bench_.session().save(
        [this, mark](SavedRun run) {
            auto session = std::make_shared<WholeSession>(bench_.whole(std::move(run), true));
            Mark kept = mark;
            kept.step = session->run.state.step;
            this->run([session](AutosaveSlot* slot) { slot->write(*session); }, true,
                      [this, kept] {
                          kept_ = kept;
                          told_ = false;
                          ++written_count_;
                      });
        },
        [this](const QString& error) { refuse(error); });
}

void Autosaver::clear() {
    kept_.reset();
    run([](AutosaveSlot* slot) { slot->clear(); }, false, {});
}

/// `work` on the slot, on another thread; one at a time. A slot that was made stays where its first write fails: the
/// next one goes there too.
void Autosaver::run(std::function<void(AutosaveSlot*)> work, bool makes_slot, std::function<void()> done) {
    working_ = true;
    background_->run(
        [this, work = std::move(work), makes_slot, done = std::move(done),
         root = options_.root]() -> Background::Finish {
            if (!slot_ && makes_slot) slot_ = std::make_shared<AutosaveSlot>(root);
            if (slot_) work(slot_.get());
            return [this, done] {
                working_ = false;
                if (done) done();
                if (adopted_) adopt({});
            };
        },
        [this](const QString& sentence) { refuse(sentence); });
}

void Autosaver::refuse(const QString& sentence) {
    working_ = false;
    if (!std::exchange(told_, true))
        Q_EMIT failed(tr("This session is not being kept in case of a crash, so save it yourself. %1").arg(sentence));
    if (adopted_) adopt({});
}

void Autosaver::adopt(std::unique_ptr<AutosaveSlot> slot) {
    if (slot) adopted_ = std::move(slot);
    if (working_ || !adopted_) return;
    const std::shared_ptr<AutosaveSlot> before = std::exchange(slot_, std::exchange(adopted_, nullptr));
    settled_.reset();
    settled_step_.reset();
    kept_.reset();
    if (before && before != slot_) run([before](AutosaveSlot*) { before->remove(); }, false, {});
}

}  // namespace moe::app
