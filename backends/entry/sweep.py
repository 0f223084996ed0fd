"""Call after call of one compiled function, each on other rows of the same arrays, as LLVM IR: an epoch of batches.

A part of `entry/text`, in its notation. The rows of a batch are copied into arrays that every call is given; each call is
made as Python would make it, with all its checks, and its outputs, numbers without axes, are copied out. So a sweep
computes what the calls one by one would.
"""

SWEEP_TEXT = """
; plan: where each input has its rows and where they go, then where the numbers of each output go. How many batches were
; done before one that machine code cannot do; -1 with an exception set.
define i64 @sweep(ptr %owner, ptr %args, ptr %plan, ptr %order, i64 %batches, i64 %size) nounwind {
entry:
  %table = at ptr, %owner + OWN
  %inputs = at i64, %table + INPUTS
  %outputs = at i64, %table + OUTPUTS
  %outputs_at = mul i64 %inputs, SWEPT_BYTES
  %results = getelementptr i8, ptr %plan, i64 %outputs_at
  br label %batch
batch:
  %k = phi i64 [ 0, %entry ], [ %k1, %counted ]
  %more_batches = icmp ult i64 %k, %batches
  br i1 %more_batches, label %gather, label %end
gather:
  %first = mul i64 %k, %size
  %chosen = getelementptr i64, ptr %order, i64 %first
  br label %input
input:
  %j = phi i64 [ 0, %gather ], [ %j1, %copied ]
  %more_inputs = icmp ult i64 %j, %inputs
  br i1 %more_inputs, label %rows, label %go
rows:
  %spec_at = mul i64 %j, SWEPT_BYTES
  %spec = getelementptr i8, ptr %plan, i64 %spec_at
  %from = at ptr, %spec + FROM
  %into = at ptr, %spec + INTO
  %bytes = at i64, %spec + ROW_BYTES
  br label %row
row:
  %r = phi i64 [ 0, %rows ], [ %r1, %copy ]
  %more_rows = icmp ult i64 %r, %size
  br i1 %more_rows, label %copy, label %copied
copy:
  %place = item i64, %chosen[%r]
  %source_at = mul i64 %place, %bytes
  %source = getelementptr i8, ptr %from, i64 %source_at
  %goal_at = mul i64 %r, %bytes
  %goal = getelementptr i8, ptr %into, i64 %goal_at
  call void @llvm.memcpy.p0.p0.i64(ptr %goal, ptr %source, i64 %bytes, i1 false)
  %r1 = add nuw nsw i64 %r, 1
  br label %row
copied:
  %j1 = add nuw nsw i64 %j, 1
  br label %input
go:
  %list = call ptr @core(ptr %owner, ptr %table, ptr %args, i64 %inputs)
  %missed = icmp eq ptr %list, %table
  br i1 %missed, label %end, label %was_done
was_done:
  %raised = icmp eq ptr %list, null
  br i1 %raised, label %broken, label %measure
measure:
  %o = phi i64 [ 0, %was_done ], [ %o1, %put ]
  %more_outputs = icmp ult i64 %o, %outputs
  br i1 %more_outputs, label %put, label %measured
put:
  %array = call ptr @PyList_GetItem(ptr %list, i64 %o)
  %data = at ptr, %array + DATA
  %wanted_at = mul i64 %o, SWEPT_BYTES
  %wanted = getelementptr i8, ptr %results, i64 %wanted_at
  %column = at ptr, %wanted + INTO
  %width = at i64, %wanted + ROW_BYTES
  %cell_at = mul i64 %k, %width
  %cell = getelementptr i8, ptr %column, i64 %cell_at
  call void @llvm.memcpy.p0.p0.i64(ptr %cell, ptr %data, i64 %width, i1 false)
  %o1 = add nuw nsw i64 %o, 1
  br label %measure
measured:
  call void @Py_DecRef(ptr %list)
  %signals = call i32 @PyErr_CheckSignals()
  %quiet = icmp eq i32 %signals, 0
  br i1 %quiet, label %counted, label %broken
counted:
  %k1 = add nuw nsw i64 %k, 1
  br label %batch
broken:
  ret i64 -1
end:
  ret i64 %k
}
"""
