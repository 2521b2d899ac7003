/* shell - an environment as the spawner sees it: made ahead, then used, then dead until its control
 * groups are gone. */
#pragma once
#include "base/list.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/message.h"
#include "sandbox/template.h"

/* What the spawner knows and has once. */
struct machine {
    struct cgroups cgroups;
    struct sock_fprog filter;
    struct sandbox_abilities abilities;
    struct template base; /* of environments of no kind */
};

/*   NONE --shell_adopt--> ADOPTING --init's report--> FORKING --zygote's answer--> READY
 *                                    +--"exec"-------------------------------------^
 * A shell may be used from ADOPTING on: what comes later finds its way to init. */
enum spare_state { SPARE_NONE, SPARE_ADOPTING, SPARE_FORKING, SPARE_READY };

struct kind;
struct shell {
    struct list link; /* in the spawner's list */
    pid_t pid;
    int pidfd; /* and the control group's files: closed when nobody needs them any more */
    int sock;  /* kept open: closing it with a report unread would take the plan away, too */
    int reports_due;
    bool used, dead;
    bool is_of_kind; /* born in a kind's template: has what its binds and links are for */
    struct cgroup cgroup;

    struct kind *kind; /* NULL: for any command */
    enum spare_state spare;
    struct list queue; /* FORKING: in kind.forking */
    int own_user;      /* as own_user_make() answers; init has it, too */
    int child_end;     /* of the spare's socket, until somebody else has it */
    int output[2];     /* of the spare; the write end as child_end */
};

/* k: whose command it is for; NULL: not known. waits: nobody wants it yet. */
int shell_make(struct machine *m, struct kind *k, bool waits, struct shell **ret, char *why);
/* Makes a spare of k, for which it was made, of it. Answers 0 when init has been told. */
int shell_adopt(struct shell *s, struct kind *k, char *why);
/* What is not needed for a spare in the making any more goes. */
void shell_close_unneeded(struct shell *s);
void shell_close_all(struct shell *s);
/* Tells the daemon what environment it has got. */
int shell_send_made(const struct machine *m, const struct shell *s, int sock);
