/*
 * The switch itself, for x86-64 (System V) and aarch64 (AAPCS64).
 *
 * context_swap(void **ret_stack_pointer, void *stack_pointer) pushes what a call
 * must preserve, leaves the stack pointer behind and takes up another one, which
 * either this function left or context_make() prepared (see the layouts there).
 * context_begin is where a prepared stack "returns" to: it calls the entry, and
 * is the outermost frame for whoever walks the stack.
 */
#if defined __x86_64__ && !defined __ILP32__

	.text
	.globl	context_swap
	.hidden	context_swap
	.type	context_swap, @function
	.p2align 4
context_swap:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	ret
	.cfi_endproc
	.size	context_swap, .-context_swap

	.globl	context_begin
	.hidden	context_begin
	.type	context_begin, @function
	.p2align 4
context_begin:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%r12, %rdi
	call	*%r13
	ud2
	.cfi_endproc
	.size	context_begin, .-context_begin

#elif defined __aarch64__

	.text
	.globl	context_swap
	.hidden	context_swap
	.type	context_swap, %function
	.p2align 4
context_swap:
	.cfi_startproc
	hint	#34
	sub	sp, sp, #160
	.cfi_adjust_cfa_offset 160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	.cfi_adjust_cfa_offset -160
	.cfi_restore x29
	.cfi_restore x30
	ret
	.cfi_endproc
	.size	context_swap, .-context_swap

	.globl	context_begin
	.hidden	context_begin
	.type	context_begin, %function
	.p2align 4
context_begin:
	.cfi_startproc
	.cfi_undefined x30
	hint	#36
	mov	x0, x19
	blr	x20
	brk	#1
	.cfi_endproc
	.size	context_begin, .-context_begin

#endif

	.section .note.GNU-stack, "", %progbits
