/* start_path - may a function start from an interpreter that runs already, and from which? */
#pragma once
#include "sandbox/sandbox.h"
#include "service/lambda/runtimes.h"
#include "service/lambda/target.h"

/* NULL: it must be executed. envp: all that the function gets. */
const struct sandbox_spare *start_path_spare(struct lambda_state *lambda, struct arena *a,
                                             struct target *t, const struct runtime_wish *wish,
                                             const struct runtime_command *command,
                                             const char *const *envp);

/* What is to be executed for that function: argv, or the program of its AWS_LAMBDA_EXEC_WRAPPER
 * with argv. That starts managed runtimes, from a shell as on AWS, with the words that would have
 * been executed there. */
const char *const *start_path_words(struct arena *a, const struct lambda_function_configuration *c,
                                    const char *const *argv);

/* A function like this is there and may be called: its first start shall find a spare, too. */
struct start_expected {
    struct str runtime;
    int memory_mb;
    bool covered; /* by the coverage layer */
};
void start_path_expect(struct lambda_state *lambda, const struct start_expected *e);
void start_path_expect_function(struct lambda_state *lambda,
                                const struct lambda_function_configuration *c);

/* In every environment; part of what plans of one kind have in common. */
enum start_port { PORT_RUNTIME_API, PORT_CLOUD, PORT_XRAY, PORT_RUNTIME_LOCAL, START_PORTS };
extern const struct sandbox_port start_path_ports[START_PORTS];
/* How many of them: the last one is for our own python runtime only. */
size_t start_path_n_ports(const struct lambda_function_configuration *c);
