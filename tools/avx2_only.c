/* A process that preloads this sees a processor with AVX2 and without AVX-512, AVX-VNNI and AMX.
 *
 *     cc -O2 -shared -fPIC -o avx2_only.so tools/avx2_only.c
 *     LD_PRELOAD=./avx2_only.so python ...
 *
 * Libraries that choose their kernels by CPUID, as ONNX Runtime does, then run those of AVX2. Linux on
 * x86-64 with faulting CPUID (cpuid_fault in /proc/cpuinfo), else it says so and ends the process. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID = 0x1012, FAULTS = 0, RUNS = 1 };

/* Leaf 7 of CPUID: F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS,
 * VP2INTERSECT, AMX-BF16, FP16, AMX-TILE, AMX-INT8; of its subleaf 1 AVX-VNNI, AVX512-BF16, AMX-FP16 and
 * AVX-VNNI-INT8 (Intel SDM volume 2, CPUID). */
static const unsigned LEAF_7_EBX = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const unsigned LEAF_7_ECX = 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;
static const unsigned LEAF_7_EDX = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
static const unsigned LEAF_7_1_EAX = 1u << 4 | 1u << 5 | 1u << 21;
static const unsigned LEAF_7_1_EDX = 1u << 4 | 1u << 10;

static long cpuid_is(int behaviour) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, behaviour); }

static void answer(int signal, siginfo_t *info, void *context) {
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *instruction = (const unsigned char *)registers[REG_RIP];
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) {
        struct sigaction end = {.sa_handler = SIG_DFL};
        sigaction(signal, &end, NULL);
        return; /* a real fault: the instruction runs again and ends the process */
    }
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX], a, b, c, d;
    cpuid_is(RUNS);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    cpuid_is(FAULTS);
    if (leaf == 7 && subleaf == 0) {
        b &= ~LEAF_7_EBX;
        c &= ~LEAF_7_ECX;
        d &= ~LEAF_7_EDX;
    }
    if (leaf == 7 && subleaf == 1) {
        a &= ~LEAF_7_1_EAX;
        d &= ~LEAF_7_1_EDX;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void hide(void) {
    struct sigaction fault = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSEGV, &fault, NULL) != 0 || cpuid_is(FAULTS) != 0) {
        fprintf(stderr, "avx2_only: this system does not let CPUID fault\n");
        exit(1);
    }
}
