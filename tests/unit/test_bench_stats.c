/* test_bench_stats - histograms and statistics: known answers, and how often intervals hold. */
#include <math.h>
#include "check.h"
#include "base/cleanup.h"
#include "bench/contrast.h"
#include "bench_fake.h"

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void near_at(double got, double wanted, double by, const char *file, int line)
{
    if (fabs(got - wanted) <= by)
        return;
    print_error("got %.9g, wanted %.9g\n", got, wanted);
    _fail(file, line);
}
#define assert_near(got, wanted, by) near_at((got), (wanted), (by), __FILE__, __LINE__)

/* ---- histogram ---- */

/* Made by hdr-histogram-js: i * i * 1000, i % 7 + 1 times, for i of 1 to 1000; and an hour less 1
 * ns.
 */
static const char *const theirs =
    "HISTFAAAA0J4nJ3SQYgbVRjA8XnffO+b9968+cI4DGEYwxBCCGEJcQnLsiyLLKUupZRSSvFQPBTxUIqIiHjooYcqHkS"
    "k7MGDSIUeFinFkyCoiAdPpfQgnjz26Nm75M2b2Uk2uRjI4cf/+75JSF7/9DQLAiWCIFi+w6B+iSAI33rjp++Cxi97+K"
    "Kis9fUn4l5pO2p5u8JziL8Deklqi+leYj2YchPQvg9xFchPQP1FZjHYJ8B/wrwAvA50I9C/SzMH8I+F/yXgL8FvhL0j1"
    "D/CvNU2Af8mYDPBX4h6JFQp8J8Lew3gh8LeCLwTNBTob4V5m17m2/DO3iH7qh3zXv2Lt+Fe/g+faA+NB/Zj/kTuI/36E"
    "gdmTftMR/DMV6iy+qSObEnfAJX8ApdVVfNNXuNr8N1vEE31E1z097iW3AZp7SjdszM7vAMZjijuZqbuZ3zHHZxl3bVwi"
    "zsghewwD3aU3tm3+7xPuzjAe2rA3NgD/kADvGIDtXMDOyABzDAigaqMpWtuIIKKxqqygztkCsY4oiGamhGdsgjGOGIRm"
    "pkxnbEYxjhmMZqbMZ2wmOY4JgmamImdsJTmOCUJmpqpnbKU9jBPmUqM7nNOIcMc8qdcs4hd8pNbvucQx9z6qvc9L361F"
    "d9p8KpUH1TeBVUqMIUtuACCiyodCq5gNKpNKUtuIQSSyrVwJS25BIGWNLAafndE0woUYlJbMKJU8+r16rn1fPqcQI9p5"
    "5vtVLXaqWupU6pbymnTsuWdpR6pU5Zq8y1zKaceS1b5pW1yrwyr5xipU1kNWuIUJNWkdEdaacIdEd6o+JWsW+xb8snxK"
    "7FHcV+MnaT54rdXoyxn1y2ei9uFW9U0lHiW9JRgjEl7WSjZUs6qlvSqmnN7y5RklTSSCtZblG01qINLVprUUdRZzJaaZ"
    "u1nIy2qp5c3oxW2rmaFnHknh551XtR2873Ir+3TfpC0x3ptmm/p7eq3tPtTd1R/W+N/L91vWkjbcghhBhSoEITOgUYUrh"
    "FIQYralqwovB/S25scm1SbpFs92R7Ra41uXZTdrTaZLsn1ybrm3JlUrafRXba6qT0V+TKpLywt0315PmV+ubF1uxtVjPZ"
    "7DVXupM//CLgP1Yyf7M=";

static void histogram_reads_what_others_write(void **state)
{
    struct histogram *h;
    assert_int_equal(histogram_decode(*state, str_from(theirs), &h), 0);
    assert_int_equal(h->total, 4004);
    assert_int_equal(histogram_quantile(h, 0.5), 251002879); /* as hdr-histogram-js answers */
    assert_int_equal(histogram_quantile(h, 0.999), 1000341503);
    assert_int_equal(h->digits, 3);
    assert_int_equal(h->n_counts, histogram_new(*state)->n_counts);
}

static void histogram_survives_its_text(void **state)
{
    struct arena *a = *state;
    struct stats_random r = {5};
    struct histogram *h = histogram_new(a), *back, *empty;
    for (int i = 0; i < 20000; i++)
        histogram_record(h, (int64_t)fake_lognormal(&r, 5e6, 2), 1);
    histogram_record(h, INT64_C(1) << 50, 3); /* beyond an hour */
    histogram_record(h, -5, 1);
    assert_int_equal(h->clipped, 4);
    assert_int_equal(histogram_decode(a, histogram_encode(a, h), &back), 0);
    assert_int_equal(back->total, h->total);
    assert_memory_equal(back->counts, h->counts, h->n_counts * sizeof(*h->counts));
    assert_int_equal(histogram_decode(a, histogram_encode(a, histogram_new(a)), &empty), 0);
    assert_int_equal(empty->total, 0);
    assert_int_equal(histogram_quantile(empty, 0.5), 0);
}

static void histogram_is_exact_to_three_digits(void **state)
{
    struct histogram *h = histogram_new(*state);
    for (int64_t v = 1; v < HISTOGRAM_HIGHEST; v += v / 3 + 1) {
        struct histogram one = *h;
        one.counts = ARENA_ARRAY((struct arena *)*state, uint64_t, h->n_counts);
        histogram_record(&one, v, 1);
        for (size_t i = 0; i < one.n_counts; i++) {
            int64_t low, high;
            if (!histogram_bucket(&one, i, &low, &high))
                continue;
            assert_true(low <= v && v <= high);
            assert_true((double)(high - low) <= (double)v / 1000);
        }
    }
}

static void histograms_merge(void **state)
{
    struct histogram *a = histogram_new(*state), *b = histogram_new(*state);
    histogram_record(a, 1000, 3);
    histogram_record(b, 2000000, 7);
    histogram_merge(a, b);
    assert_int_equal(a->total, 10);
    assert_int_equal(a->min, 1000);
    assert_int_equal(a->max, 2000000);
    assert_int_equal(histogram_quantile(a, 0.3), 1000);
    assert_int_equal(histogram_quantile(a, 0.31), 2000000);
}

static void histogram_refuses_nonsense(void **state)
{
    struct histogram *h;
    static const char *const bad[] = {
        "", "AAAA", "HISTFAAAAAA=", "not base64!", "HISTFAAAAAR4nAMA", "HISTFAAAAEV4nA=="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(histogram_decode(*state, str_from(bad[i]), &h) < 0);
    struct str cut = str_slice(str_from(theirs), 0, 400);
    assert_true(histogram_decode(*state, cut, &h) < 0);
}

/* ---- known answers ---- */

static void distributions_are_right(void **state)
{
    (void)state;
    assert_near(stats_binomial_cdf(5, 10, 0.5), 0.623046875, 1e-12);
    assert_near(stats_binomial_cdf(989999, 1000000, 0.99), 0.497340, 1e-5);
    assert_near(stats_t975(1), 12.706205, 1e-5);
    assert_near(stats_t975(9), 2.262157, 1e-6);
    assert_near(stats_t975(1000), 1.962339, 1e-6);
}

static void quantiles_are_nearest_ranks(void **state)
{
    (void)state;
    double v[100];
    for (int i = 0; i < 100; i++)
        v[i] = i + 1;
    assert_near(stats_quantile(v, 100, 0.5), 50, 0);
    assert_near(stats_quantile(v, 100, 0.99), 99, 0);
    assert_near(stats_quantile(v, 10, 0.99), 10, 0);
    assert_near(stats_quantile(v, 1, 0.01), 1, 0);
    assert_true(isnan(stats_quantile(v, 0, 0.5)));
    struct figure f = stats_quantile_interval(v, 100, 0.5); /* textbooks: ranks 40 and 61 */
    assert_near(f.low, 40, 0);
    assert_near(f.high, 61, 0);
    f = stats_quantile_interval(v, 5, 0.5); /* five values bound a median by 93.75 % only */
    assert_true(isnan(f.low) && isnan(f.high));
    f = stats_quantile_interval(v, 6, 0.5);
    assert_near(f.low, 1, 0);
    assert_near(f.high, 6, 0);
}

static void tails_have_no_end_before_enough_samples(void **state)
{
    (void)state;
    size_t low, high;
    stats_quantile_ranks(367, 0.99, &low, &high);
    assert_int_equal(high, 0);
    assert_true(low > 0);
    stats_quantile_ranks(368, 0.99, &low, &high);
    assert_int_equal(high, 368);
    assert_int_equal(stats_quantile_needs(0.99), 368);
    assert_int_equal(stats_quantile_needs(0.999), 3688);
    stats_quantile_ranks(0, 0.5, &low, &high);
    assert_int_equal(low + high, 0);
}

static void means_and_rates(void **state)
{
    (void)state;
    double v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, same[] = {3, 3, 3, 3};
    struct figure f = stats_mean(v, 9); /* no skewness: Student's interval */
    assert_near(f.value, 5, 1e-12);
    assert_near(f.low, 5 - 2.1050653, 1e-4);
    assert_near(f.high, 5 + 2.1050653, 1e-4);
    f = stats_mean(same, 4);
    assert_near(f.low, 3, 0);
    assert_near(f.high, 3, 0);
    f = stats_mean(v, 1);
    assert_true(f.value == 1 && isnan(f.low) && isnan(f.high));
    f = stats_mean(v, 0);
    assert_false(figure_known(&f));
    double far[] = {5, 90, 10}; /* Student's lower end would be -84 */
    f = stats_mean(far, 3);
    assert_true(f.value == 35 && f.low == 0 && f.high > 90);
    f = stats_rate(0, 10); /* Clopper and Pearson; from sums of binomial probabilities */
    assert_near(f.low, 0, 0);
    assert_near(f.high, 0.3084971, 1e-6);
    f = stats_rate(5, 10);
    assert_near(f.low, 0.1870860, 1e-6);
    assert_near(f.high, 0.8129140, 1e-6);
    f = stats_rate(3, 100);
    assert_near(f.low, 0.0062300, 1e-6);
    assert_near(f.high, 0.0851761, 1e-6);
}

/* Exactly: the sum of the probabilities of all counts whose interval has the truth in it. */
static void rates_hold_for_rare_failures(void **state)
{
    (void)state;
    static const double ps[] = {0.001, 0.01, 0.02, 0.03, 0.1};
    static const size_t sizes[] = {1, 5, 20, 50, 100, 200};
    for (size_t i = 0; i < ARRAY_LEN(ps); i++)
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            double held = 0, below = 0;
            for (size_t hits = 0; hits <= sizes[k]; hits++) {
                double upto = stats_binomial_cdf(hits, sizes[k], ps[i]);
                struct figure f = stats_rate(hits, sizes[k]);
                if (f.low <= ps[i] && ps[i] <= f.high)
                    held += upto - below;
                below = upto;
            }
            if (held < 0.95)
                fail_msg("a rate of %g, %zu requests: %.4f", ps[i], sizes[k], held);
        }
}

static void outliers_are_far_from_the_median(void **state)
{
    (void)state;
    double v[101];
    for (int i = 0; i < 100; i++)
        v[i] = 10 + i % 10;
    v[100] = 900;
    stats_sort(v, 101);
    assert_near(stats_mad(v, 101), 2, 1.01);
    assert_int_equal(stats_outliers(v, 101, STATS_OUTLIER_Z), 1);
    double same[] = {4, 4, 4, 4, 9};
    assert_int_equal(stats_outliers(same, 5, STATS_OUTLIER_Z), 0); /* no deviation to count in */
}

static void sorting_many_is_sorting(void **state)
{
    (void)state;
    struct stats_random r = {1};
    static double v[20000];
    double sum = 0, after = 0;
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        sum += v[i] = floor(1e6 * stats_random_normal(&r));
    stats_sort(v, ARRAY_LEN(v));
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        after += v[i];
        assert_true(!i || v[i - 1] <= v[i]);
    }
    assert_near(after, sum, 1e-3);
}

static void ratios_know_what_is_unknown(void **state)
{
    (void)state;
    struct figure a = {20, 18, 22, 100}, b = {10, 9, 11, 100}, open = {10, 9, NAN, 10};
    struct figure r = stats_ratio(&a, &b);
    assert_near(r.value, 2, 1e-12);
    assert_true(r.low > 18.0 / 11 && r.low < 1.8 && r.high < 22.0 / 9 && r.high > 2.2);
    r = stats_ratio(&a, &open); /* no upper end below: no lower end of the ratio */
    assert_true(isnan(r.low) && r.high > 2);
    struct figure zero = figure_exact(0);
    r = stats_ratio(&a, &zero);
    assert_false(figure_known(&r));
}

/* ---- how often intervals hold ---- */

/* 40 comparisons of a function with itself: in 95 % no row of any figure says a difference. */
static void equals_are_not_told_apart(void **state)
{
    (void)state;
    int told = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct bench_run run;
        struct bench_fake f = {.mode = "compare",
                               .seed = seed + 1,
                               .n = 60,
                               .median_ms = 11,
                               .sigma = 0.35,
                               .slow_share = 0.05,
                               .slow_by = 8,
                               .error_share = 0.03,
                               .series = 2};
        bench_fake_run(&a, &f, &run);
        for (size_t i = 0; i < run.n_samples; i++) { /* the fake makes more memory faster */
            struct bench_sample *s = &run.samples[i];
            int64_t less = s->series == 0 && s->handler_us > 0 ? s->handler_us / 2 : 0;
            s->handler_us -= (int32_t)less;
            s->done_ns -= less * 1000;
            if (less)
                s->billed_ms = (int32_t)ceil(s->handler_us / 1e3);
        }
        run.series[1].memory_mb = run.series[0].memory_mb;
        const struct bench_summary *s = bench_summarize(&a, &run);
        struct contrast_row one[CONTRAST_ROWS], other[CONTRAST_ROWS];
        size_t n = contrast_rows(&s->groups[0], &s->groups[1], one);
        assert_int_equal(contrast_rows(&s->groups[1], &s->groups[0], other), n);
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            any = any || one[i].verdict > CONTRAST_NONE;
            assert_int_equal(one[i].verdict == CONTRAST_LESS, other[i].verdict == CONTRAST_MORE);
            assert_near(one[i].rate ? one[i].ratio.value + other[i].ratio.value
                                    : one[i].ratio.value * other[i].ratio.value,
                        one[i].rate ? 0 : 1, 1e-9);
        }
        told += any;
        bench_run_done(&run);
    }
    print_message("# %d of 40 comparisons of equals say a difference\n", told);
    assert_true(told <= 2);
}

/* Due and never sent is no success; a run with pauses of its own has no throughput. */
static void what_was_not_sent_is_no_success(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a);
    struct bench_run run;
    struct bench_fake f = {.mode = "rate", .n = 90, .median_ms = 5, .rate = 100};
    bench_fake_run(&a, &f, &run);
    run.dropped = 10;
    const struct bench_summary *s = bench_summarize(&a, &run);
    assert_near(s->all.success.value, 0.9, 1e-12);
    assert_near(s->all.errors.value, 0.1, 1e-12);
    assert_true(s->all.success.n == 100 && s->all.throughput > 0);
    run.mode = S("cold");
    assert_true(isnan(bench_summarize(&a, &run)->all.throughput));
    bench_run_done(&run);
}

static bool within(const struct figure *f, double truth)
{
    return !(f->low > truth) && !(f->high < truth);
}

/* Skewed: lognormal with sigma 1; 400 runs. Order statistics never hold less than they say. */
static void intervals_hold_for_skewed_latencies(void **state)
{
    (void)state;
    struct stats_random r = {20261121};
    static const size_t sizes[] = {40, 400};
    static const double ps[] = {0.5, 0.9, 0.99};
    double z[] = {0, 1.2815516, 2.3263479};
    for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
        int held[3] = {0}, mean = 0, ratio = 0;
        for (int run = 0; run < 400; run++) {
            double v[400], w[400];
            for (size_t i = 0; i < sizes[k]; i++) {
                v[i] = fake_lognormal(&r, 10, 1);
                w[i] = fake_lognormal(&r, 20, 1);
            }
            stats_sort(v, sizes[k]);
            stats_sort(w, sizes[k]);
            struct figure f = stats_mean(v, sizes[k]), medians[2];
            mean += within(&f, 10 * exp(0.5));
            for (int i = 0; i < 3; i++) {
                f = stats_quantile_interval(v, sizes[k], ps[i]);
                held[i] += within(&f, 10 * exp(z[i]));
            }
            medians[0] = stats_quantile_interval(v, sizes[k], 0.5);
            medians[1] = stats_quantile_interval(w, sizes[k], 0.5);
            f = stats_ratio(&medians[1], &medians[0]);
            ratio += within(&f, 2);
        }
        print_message(
            "# n %zu: p50 %.1f %%, p90 %.1f %%, p99 %.1f %%, mean %.1f %%, ratio %.1f %%\n",
            sizes[k], held[0] / 4.0, held[1] / 4.0, held[2] / 4.0, mean / 4.0, ratio / 4.0);
        for (int i = 0; i < 3; i++)
            assert_true(held[i] >= 0.95 * 400 - 9); /* two deviations of the count itself */
        assert_true(mean >= 0.90 * 400); /* of 40 values so skewed no method holds 95 % */
        assert_true(ratio >= 0.95 * 400 - 9);
    }
}

/* The least x with F(x) >= p, of lognormals of which some are slower. */
static double mix_quantile(const struct bench_fake *f, double p)
{
    double low = 0, high = 1e6;
    for (int i = 0; i < 100; i++) {
        double x = (low + high) / 2;
        double fast = 0.5 * erfc(-log(x / f->median_ms) / f->sigma / M_SQRT2),
               slow = 0.5 * erfc(-log(x / f->median_ms / f->slow_by) / f->sigma / M_SQRT2);
        if ((1 - f->slow_share) * fast + f->slow_share * slow < p)
            low = x;
        else
            high = x;
    }
    return low;
}

/* A function with a lognormal mix, one in 50 slow, 3 % errors and 5 % throttled; 100 seeds. */
static void runs_contain_the_truth(void **state)
{
    (void)state;
    static const char *const names[] = {"p50",    "p90",    "p99",       "mean",     "errors",
                                        "failed", "thrott", "cold mean", "cold rate"};
    int held[ARRAY_LEN(names)] = {0}, all = 0;
    for (int seed = 0; seed < 100; seed++) {
        struct bench_fake f = {.seed = (uint64_t)seed,
                               .n = 1500,
                               .median_ms = 11,
                               .sigma = 0.35,
                               .slow_share = 0.02,
                               .slow_by = 8,
                               .error_share = 0.03,
                               .throttle_share = 0.05,
                               .cold_share = 0.05,
                               .init_ms = 140};
        auto_arena struct arena a;
        arena_init(&a);
        struct bench_run run;
        bench_fake_run(&a, &f, &run);
        const struct bench_summary *s = bench_summarize(&a, &run);
        double handler = 11 * exp(0.35 * 0.35 / 2) * (1 + 0.02 * 7);
        const struct bench_spread *warm = &s->all.warm.latency;
        const bool ok[] = {
            within(&warm->p50, 0.25 + mix_quantile(&f, 0.5)),
            within(&warm->p90, 0.25 + mix_quantile(&f, 0.9)),
            within(&warm->p99, 0.25 + mix_quantile(&f, 0.99)),
            within(&warm->mean, 0.25 + handler),
            within(&s->all.errors, 0.08),
            within(&s->all.rates[BENCH_FUNCTION_ERROR], 0.03),
            within(&s->all.rates[BENCH_THROTTLED], 0.05),
            within(&s->all.cold.latency.mean, 0.25 + 0.9 + handler + 140 * exp(0.02)),
            within(&s->all.cold_rate, 0.05),
        };
        for (size_t i = 0; i < ARRAY_LEN(ok); i++) {
            held[i] += ok[i];
            all += ok[i];
        }
        bench_run_done(&run);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        print_message("# %s: the truth is in %d of 100 intervals\n", names[i], held[i]);
        assert_true(held[i] >= 91); /* 95 less two deviations of a count of 100 */
    }
    assert_true(all >= 95 * (int)ARRAY_LEN(names));
    for (int i = 0; i < 3; i++)
        assert_true(held[i] >= 95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(histogram_reads_what_others_write),
        CASE(histogram_survives_its_text),
        CASE(histogram_is_exact_to_three_digits),
        CASE(histograms_merge),
        CASE(histogram_refuses_nonsense),
        CASE(distributions_are_right),
        CASE(quantiles_are_nearest_ranks),
        CASE(tails_have_no_end_before_enough_samples),
        CASE(means_and_rates),
        CASE(rates_hold_for_rare_failures),
        CASE(equals_are_not_told_apart),
        CASE(what_was_not_sent_is_no_success),
        CASE(outliers_are_far_from_the_median),
        CASE(sorting_many_is_sorting),
        CASE(ratios_know_what_is_unknown),
        CASE(intervals_hold_for_skewed_latencies),
        CASE(runs_contain_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
