// The plan: what TypeScript decided, as two lists of operations. This file and
// src/oci/plan/operations.ts are the same table; a test parses both and compares them.
//
// Binary form, all words 32-bit little endian:
//   header   magic "KPLN", version, parent count, child count, list bytes, blob bytes
//   lists    the parent's operations, then the child's: code | words << 16, then that many argument words
//   blob     strings (each ends with NUL), byte strings and string lists; its last byte is NUL
//
// Argument kinds, one letter each, with the words they take:
//   n number (1)   q 64-bit number, low word first (2)   s string: blob offset (1)   b bytes: offset, length (2)
//   l string list: offset of the first, count (2)   f descriptor: slot, or 0xffffffff for none (1)
//   o slot that the operation fills (1)
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC 0x4e4c504bu
#define PLAN_VERSION 1u
#define PLAN_SLOTS 256u
#define PLAN_NO_SLOT 0xffffffffu
#define PLAN_ARGUMENT_WORDS 16u

// code, name, argument kinds
#define PLAN_OPERATIONS(X)                 \
  X(1, leaveParent, "f")                   \
  X(2, openPath, "sno")                    \
  X(3, makeDirectory, "sn")                \
  X(4, writeFile, "sbn")                   \
  X(5, replaceFile, "fsb")                 \
  X(6, joinCgroup, "fs")                   \
  X(7, listen, "fso")                      \
  X(8, makePipe, "oo")                     \
  X(9, clone, "qf")                        \
  X(10, signal, "n")                       \
  X(11, await, "n")                        \
  X(12, recordProcess, "fs")               \
  X(13, reportCreated, "")                 \
  X(14, awaitCommit, "")                   \
  X(15, monitor, "ffffffffsn")             \
  X(16, leave, "")                         \
  X(17, supervise, "n")                    \
  X(18, enterProcess, "fq")                \
  X(19, undumpable, "")                    \
  X(20, closeSlot, "f")                    \
  X(21, receiveTerminal, "o")              \
  X(22, sendTerminal, "ff")                \
  X(23, newSession, "")                    \
  X(24, joinNamespace, "fq")               \
  X(25, unshare, "q")                      \
  X(26, setPropagation, "n")               \
  X(27, rootOverlay, "lssn")               \
  X(28, rootDirectory, "s")                \
  X(29, attachRoot, "s")                   \
  X(30, mountFilesystem, "ssslqnb")        \
  X(31, mountBind, "ssnqqqqb")             \
  X(32, mountTree, "fsnqqqqb")             \
  X(33, makeNode, "snnnnn")                \
  X(34, makeLink, "ss")                    \
  X(35, writeSysctl, "ss")                 \
  X(36, maskPath, "s")                     \
  X(37, readonlyPath, "s")                 \
  X(38, pivotRoot, "")                     \
  X(39, readonlyRoot, "")                  \
  X(40, setHostname, "s")                  \
  X(41, setDomainname, "s")                \
  X(42, setRlimit, "nqq")                  \
  X(43, adjustOomScore, "n")               \
  X(44, sessionKeyring, "s")               \
  X(45, dropBounding, "q")                 \
  X(46, setIdentity, "nnbn")               \
  X(47, setCapabilities, "qqqq")           \
  X(48, noNewPrivileges, "")               \
  X(49, loadSeccomp, "bn")                 \
  X(50, enterDirectory, "sn")              \
  X(51, findProgram, "ss")                 \
  X(52, openTerminal, "nnn")               \
  X(53, placeStdio, "fff")                 \
  X(54, keepDescriptors, "bbf")            \
  X(55, awaitStart, "")                    \
  X(56, execute, "ll")                     \
  X(57, ownStdio, "n")                     \
  X(58, changeMount, "sqq")                \
  X(59, reportStarted, "")                 \
  X(60, findHome, "n")                     \
  X(61, mapIdentities, "bbn")              \
  X(62, mapByProgram, "sln")               \
  X(63, takeIdentity, "nn")                \
  X(64, makeUserNamespace, "bbo")          \
  X(65, openTree, "snnfo")                 \
  X(67, rootTree, "f")                     \
  X(68, standIn, "f")                      \
  X(69, bindNode, "snnn")                  \
  X(70, cloneThrough, "qfb")               \
  X(71, overlayTree, "lsssnfnn")           \
  X(72, giveStdio, "fffn")                 \
  X(73, raiseLimit, "nq")                  \
  X(74, adjustChild, "n")                  \
  X(76, runProgram, "sllbnqsffsnn")        \
  X(77, ownNamespaces, "")                 \
  X(78, readProcess, "fs")                 \
  X(79, reportDone, "")                    \
  X(81, sendPidfd, "fs")                   \
  X(82, listenDatagram, "fso")             \
  X(83, forwardReady, "fsn")               \
  X(84, moveRoot, "")                      \
  X(85, becomeSubreaper, "")             \
  X(91, setPersonality, "n")               \
  X(92, setMemoryPolicy, "nb")             \
  X(93, setScheduler, "nnnqqqq")           \
  X(94, setIoPriority, "n")                \
  X(95, setAffinity, "b")                  \
  X(96, resetAffinity, "")                 \
  X(97, writeAttribute, "ss")              \
  X(98, makeRuleset, "qqq")                \
  X(99, allowPath, "sqqn")                 \
  X(100, allowPort, "qq")                  \
  X(101, restrictSelf, "")                 \
  X(102, realDirectory, "s")               \
  X(103, reconfigureMount, "slqq")         \
  X(104, privateMount, "s")                \
  X(105, moveDevice, "fss")                \
  X(106, enrolChild, "fs")                 \
  X(142, tellProcess, "")                  \
  X(143, learnProcess, "")                 \
  X(144, loadSeccompListener, "bnfl")      \
  X(111, attachDevices, "sbn")             \
  X(112, emptyAtEnd, "f")                  \
  X(151, removeMount, "s")                 \
  X(113, askStarter, "")                   \
  X(114, bindGroups, "llq")                \
  X(115, makeGroup, "sn")                  \
  X(171, servePlans, "")                   \
  X(173, hold, "")                         \
  X(174, layersTree, "lsnfo")              \
  X(175, openLogFile, "so")                \
  X(176, adoptRestored, "ss")              \
  X(172, inheritSetting, "ss")             \
  X(191, connect, "so")                    \
  X(192, raiseLoopback, "")

// What the native front (native/front) may do by itself, as it was decided when the container was made.
#define PLAN_FRONT_OPERATIONS(X) \
  X(126, verb, "n")              \
  X(127, takeLock, "")           \
  X(128, requireBoot, "s")       \
  X(129, requireStatus, "n")     \
  X(130, startProgram, "")       \
  X(131, signalProcess, "")      \
  X(132, removeGroup, "s")       \
  X(133, removeState, "")        \
  X(134, print, "s")             \
  X(135, printPid, "")           \
  X(136, printStatus, "")        \
  X(201, requireText, "ss")      \
  X(202, requireMissing, "s")    \
  X(203, requirePath, "s")       \
  X(204, requireDirectory, "s")  \
  X(205, requireDevice, "ss")    \
  X(206, openNamespace, "sno")   \
  X(207, openLog, "s")           \
  X(208, takeState, "ssoo")      \
  X(209, log, "s")               \
  X(210, startInit, "sbb")       \
  X(211, commitInit, "")         \
  X(212, warnOomScore, "nss")    \
  X(213, writePidFile, "s")      \
  X(214, sendFile, "s")          \
  X(215, refuse, "ns")

#define PLAN_BARRIERS(X) \
  X(1, cloned)           \
  X(2, mapped)           \
  X(3, joined)           \
  X(4, hooksDone)        \
  X(5, committed)        \
  X(6, started)          \
  X(7, limited)          \
  X(8, mounted)          \
  X(20, networked)       \
  X(21, equipped)

enum plan_operation {
#define X(code, name, kinds) PLAN_##name = code,
  PLAN_OPERATIONS(X)
  PLAN_FRONT_OPERATIONS(X)
#undef X
};

enum plan_barrier {
#define X(code, name) BARRIER_##name = code,
  PLAN_BARRIERS(X)
#undef X
};

struct plan_list {
  const uint32_t *words;
  uint32_t count;
};

struct plan {
  struct plan_list parent;
  struct plan_list child;
  const char *blob;
  uint32_t blob_bytes;
};

// Reads and checks everything: afterwards each offset, length, slot and word count lies inside the plan.
// The memory stays the caller's. False when the bytes are no valid plan.
bool plan_read(const void *bytes, size_t size, struct plan *plan);

static inline uint64_t plan_wide(const uint32_t *words) { return words[0] | (uint64_t)words[1] << 32; }
