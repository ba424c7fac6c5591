// What a redo process may still ask of the kernel once it works.
#ifndef VARVE_REDO_SANDBOX_H
#define VARVE_REDO_SANDBOX_H

// From here on every system call but the few that redo needs kills the process. FATAL when the
// kernel refuses.
void sandbox_enter(void);

#endif
