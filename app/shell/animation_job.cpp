#include "app/shell/animation_job.h"

#include "app/models/moment_text.h"
#include "app/session/session_controller.h"
#include "app/shell/background.h"

#include <QPointer>

namespace moe::app {

/// One thread at a time: a frame is begun when the one before is written.
struct AnimationJob::Work {
    std::unique_ptr<AnimationSheet> sheet;
    std::unique_ptr<AnimationWriter> writer;
};

AnimationJob::AnimationJob(SessionController& session, Background& background, std::shared_ptr<const Snapshot> present,
                           AnimationPlan plan, QObject* parent)
    : QObject(parent),
      session_(session),
      background_(background),
      present_(std::move(present)),
      plan_(std::move(plan)),
      steps_(animationSteps(plan_.from, std::min(plan_.to, newestStep(*present_)), plan_.frames)),
      wanted_(std::make_shared<std::atomic<bool>>(true)),
      work_(std::make_shared<Work>()) {}

AnimationJob::~AnimationJob() {
    *wanted_ = false;
}

void AnimationJob::start() {
    running_ = true;
    done_ = 0;
    newest_ = newestStep(*present_);
    // A reset, an undo or training on from the past: the frames would be of two runs.
    connect(&session_, &SessionController::liveChanged, this, &AnimationJob::watch);
    watch();  // it may have been changed since the plan was made
    if (!running_) return;
    Q_EMIT progressed(0, steps_.size());
    next();
}

void AnimationJob::watch() {
    const Snapshot& live = session_.live();
    if (running_ && (live.branch != present_->branch || live.step < newest_))
        stop(tr("The run was changed meanwhile; the animation was given up."));
    newest_ = live.step;
}

void AnimationJob::cancel() {
    if (!running_) return;
    *wanted_ = false;
    running_ = false;
    // The frame under way holds what was made so far a little longer; with it goes everything.
    work_.reset();
    Q_EMIT cancelled();
}

void AnimationJob::stop(const QString& sentence) {
    running_ = false;
    *wanted_ = false;
    work_.reset();
    Q_EMIT failed(sentence);
}

void AnimationJob::next() {
    const QPointer<AnimationJob> here = this;
    session_.pictureAt(steps_[done_], plan_.probe, plan_.focus, [here, wanted = wanted_](Answer<Snapshot> answer) {
        if (!*wanted || !here) return;
        if (!answer.value) return here->stop(QString::fromStdString(answer.error));
        if (answer.value->generation != here->present_->generation)
            return here->stop(tr("Another model was opened meanwhile; the animation was given up."));
        auto moment = std::make_shared<Snapshot>(*answer.value);
        moment->history = here->present_->history;
        moment->newest_step = newestStep(*here->present_);
        here->render(std::move(moment));
    });
}

void AnimationJob::render(std::shared_ptr<const Snapshot> moment) {
    const QPointer<AnimationJob> here = this;
    const bool last = done_ + 1 == steps_.size();
    background_.run(
        [here, work = work_, wanted = wanted_, moment, last, plan = plan_,
         all = steps_.size()]() -> Background::Finish {
            if (!*wanted) return {};
            if (!work->writer) {
                work->sheet = std::make_unique<AnimationSheet>(plan.sources, plan.options, plan.size);
                work->writer =
                    std::make_unique<AnimationWriter>(plan.target, plan.format, plan.size, all, plan.seconds);
            }
            work->writer->add(work->sheet->frame(*moment), momentText(*moment));
            if (last && *wanted) work->writer->finish();
            return [here, wanted, last, plan] {
                if (!*wanted || !here) return;
                ++here->done_;
                Q_EMIT here->progressed(here->done_, here->steps_.size());
                if (!last) return here->next();
                here->running_ = false;
                here->work_.reset();
                Q_EMIT here->finished(QString::fromStdString(plan.target.string()));
            };
        },
        [here, wanted = wanted_](const QString& sentence) {
            if (*wanted && here) here->stop(sentence);
        });
}

}  // namespace moe::app
