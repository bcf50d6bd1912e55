define internal <2 x double> @sigmoid(<2 x double> %x) alwaysinline {
entry:
  %v1 = call <2 x double> @llvm.fabs.v2f64(<2 x double> %x)
  %v2 = fneg <2 x double> %v1
  %v3 = fcmp olt <2 x double> %v2, splat (double 0xC087500000000000)
  %v4 = select <2 x i1> %v3, <2 x double> splat (double 0xC087500000000000), <2 x double> %v2
  %v5 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v4, <2 x double> splat (double 0x3FF71547652B82FE), <2 x double> splat (double 0x4338000000000000))
  %v6 = fsub <2 x double> %v5, splat (double 0x4338000000000000)
  %v7 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v6, <2 x double> splat (double 0xBFE62E42FEE00000), <2 x double> %v4)
  %v8 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v6, <2 x double> splat (double 0xBDEA39EF35793C76), <2 x double> %v7)
  %v9 = fsub <2 x double> %v7, %v8
  %v10 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v6, <2 x double> splat (double 0xBDEA39EF35793C76), <2 x double> %v9)
  %v11 = call <2 x double> @llvm.fma.v2f64(<2 x double> splat (double 0x3DE6124613A86D09), <2 x double> %v8, <2 x double> splat (double 0x3E21EED8EFF8D898))
  %v12 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v11, <2 x double> %v8, <2 x double> splat (double 0x3E5AE64567F544E4))
  %v13 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v12, <2 x double> %v8, <2 x double> splat (double 0x3E927E4FB7789F5C))
  %v14 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v13, <2 x double> %v8, <2 x double> splat (double 0x3EC71DE3A556C734))
  %v15 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v14, <2 x double> %v8, <2 x double> splat (double 0x3EFA01A01A01A01A))
  %v16 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v15, <2 x double> %v8, <2 x double> splat (double 0x3F2A01A01A01A01A))
  %v17 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v16, <2 x double> %v8, <2 x double> splat (double 0x3F56C16C16C16C17))
  %v18 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v17, <2 x double> %v8, <2 x double> splat (double 0x3F81111111111111))
  %v19 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v18, <2 x double> %v8, <2 x double> splat (double 0x3FA5555555555555))
  %v20 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v19, <2 x double> %v8, <2 x double> splat (double 0x3FC5555555555555))
  %v21 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v20, <2 x double> %v8, <2 x double> splat (double 0x3FE0000000000000))
  %v22 = fmul <2 x double> %v8, %v8
  %v23 = fmul <2 x double> %v21, %v22
  %v24 = fadd <2 x double> %v8, %v23
  %v25 = fadd <2 x double> splat (double 0x3FF0000000000000), %v24
  %v26 = fadd <2 x double> %v6, splat (double 0x4338000000000000)
  %v27 = bitcast <2 x double> %v26 to <2 x i64>
  %v28 = bitcast <2 x double> splat (double 0x4338000000000000) to <2 x i64>
  %v29 = sub <2 x i64> %v27, %v28
  %v30 = ashr <2 x i64> %v29, splat (i64 1)
  %v31 = sub <2 x i64> %v29, %v30
  %v32 = add <2 x i64> %v30, splat (i64 1023)
  %v33 = shl <2 x i64> %v32, splat (i64 52)
  %v34 = bitcast <2 x i64> %v33 to <2 x double>
  %v35 = fmul <2 x double> %v25, %v34
  %v36 = add <2 x i64> %v31, splat (i64 1023)
  %v37 = shl <2 x i64> %v36, splat (i64 52)
  %v38 = bitcast <2 x i64> %v37 to <2 x double>
  %v39 = fmul <2 x double> %v35, %v38
  %v40 = fadd <2 x double> splat (double 0x3FF0000000000000), %v39
  %v41 = fdiv <2 x double> splat (double 0x3FF0000000000000), %v40
  %v42 = fmul <2 x double> %v39, %v41
  %v43 = fcmp olt <2 x double> %x, splat (double 0x0000000000000000)
  %v44 = select <2 x i1> %v43, <2 x double> %v42, <2 x double> %v41
  ret <2 x double> %v44
}

define internal <2 x double> @tanh(<2 x double> %x) alwaysinline {
entry:
  %v1 = call <2 x double> @llvm.fabs.v2f64(<2 x double> %x)
  %v2 = fcmp ogt <2 x double> %v1, splat (double 0x4034000000000000)
  %v3 = select <2 x i1> %v2, <2 x double> splat (double 0x4034000000000000), <2 x double> %v1
  %v4 = fadd <2 x double> %v3, %v3
  %v5 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v4, <2 x double> splat (double 0x3FF71547652B82FE), <2 x double> splat (double 0x4338000000000000))
  %v6 = fsub <2 x double> %v5, splat (double 0x4338000000000000)
  %v7 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v6, <2 x double> splat (double 0xBFE62E42FEE00000), <2 x double> %v4)
  %v8 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v6, <2 x double> splat (double 0xBDEA39EF35793C76), <2 x double> %v7)
  %v9 = fsub <2 x double> %v7, %v8
  %v10 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v6, <2 x double> splat (double 0xBDEA39EF35793C76), <2 x double> %v9)
  %v11 = call <2 x double> @llvm.fma.v2f64(<2 x double> splat (double 0x3DE6124613A86D09), <2 x double> %v8, <2 x double> splat (double 0x3E21EED8EFF8D898))
  %v12 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v11, <2 x double> %v8, <2 x double> splat (double 0x3E5AE64567F544E4))
  %v13 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v12, <2 x double> %v8, <2 x double> splat (double 0x3E927E4FB7789F5C))
  %v14 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v13, <2 x double> %v8, <2 x double> splat (double 0x3EC71DE3A556C734))
  %v15 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v14, <2 x double> %v8, <2 x double> splat (double 0x3EFA01A01A01A01A))
  %v16 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v15, <2 x double> %v8, <2 x double> splat (double 0x3F2A01A01A01A01A))
  %v17 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v16, <2 x double> %v8, <2 x double> splat (double 0x3F56C16C16C16C17))
  %v18 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v17, <2 x double> %v8, <2 x double> splat (double 0x3F81111111111111))
  %v19 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v18, <2 x double> %v8, <2 x double> splat (double 0x3FA5555555555555))
  %v20 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v19, <2 x double> %v8, <2 x double> splat (double 0x3FC5555555555555))
  %v21 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v20, <2 x double> %v8, <2 x double> splat (double 0x3FE0000000000000))
  %v22 = fmul <2 x double> %v8, %v8
  %v23 = fmul <2 x double> %v21, %v22
  %v24 = fadd <2 x double> %v23, %v10
  %v25 = fadd <2 x double> %v8, %v24
  %v26 = fsub <2 x double> %v25, %v8
  %v27 = fsub <2 x double> %v25, %v26
  %v28 = fsub <2 x double> %v8, %v27
  %v29 = fsub <2 x double> %v24, %v26
  %v30 = fadd <2 x double> %v28, %v29
  %v31 = fadd <2 x double> %v6, splat (double 0x4338000000000000)
  %v32 = bitcast <2 x double> %v31 to <2 x i64>
  %v33 = bitcast <2 x double> splat (double 0x4338000000000000) to <2 x i64>
  %v34 = sub <2 x i64> %v32, %v33
  %v35 = ashr <2 x i64> %v34, splat (i64 1)
  %v36 = sub <2 x i64> %v34, %v35
  %v37 = add <2 x i64> %v35, splat (i64 1023)
  %v38 = shl <2 x i64> %v37, splat (i64 52)
  %v39 = bitcast <2 x i64> %v38 to <2 x double>
  %v40 = fmul <2 x double> splat (double 0x3FF0000000000000), %v39
  %v41 = add <2 x i64> %v36, splat (i64 1023)
  %v42 = shl <2 x i64> %v41, splat (i64 52)
  %v43 = bitcast <2 x i64> %v42 to <2 x double>
  %v44 = fmul <2 x double> %v40, %v43
  %v45 = fadd <2 x double> %v44, splat (double 0xBFF0000000000000)
  %v46 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v25, <2 x double> %v44, <2 x double> %v45)
  %v47 = fsub <2 x double> %v45, %v46
  %v48 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v25, <2 x double> %v44, <2 x double> %v47)
  %v49 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v30, <2 x double> %v44, <2 x double> %v48)
  %v50 = fadd <2 x double> splat (double 0x4000000000000000), %v46
  %v51 = fsub <2 x double> %v50, splat (double 0x4000000000000000)
  %v52 = fsub <2 x double> %v50, %v51
  %v53 = fsub <2 x double> splat (double 0x4000000000000000), %v52
  %v54 = fsub <2 x double> %v46, %v51
  %v55 = fadd <2 x double> %v53, %v54
  %v56 = fdiv <2 x double> splat (double 0x3FF0000000000000), %v50
  %v57 = fmul <2 x double> %v46, %v56
  %v58 = fneg <2 x double> %v57
  %v59 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v58, <2 x double> %v50, <2 x double> %v46)
  %v60 = fadd <2 x double> %v59, %v49
  %v61 = fadd <2 x double> %v55, %v49
  %v62 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v58, <2 x double> %v61, <2 x double> %v60)
  %v63 = call <2 x double> @llvm.fma.v2f64(<2 x double> %v62, <2 x double> %v56, <2 x double> %v57)
  %v64 = call <2 x double> @llvm.copysign.v2f64(<2 x double> %v63, <2 x double> %x)
  ret <2 x double> %v64
}

define internal void @pack_0(ptr %to, ptr %weight, i64 %begin, i64 %end) noinline {
entry:
  br label %g.head1
g.head1:
  %g2 = phi i64 [%begin, %entry], [%v52, %r.done9]
  %v3 = icmp slt i64 %g2, %end
  br i1 %v3, label %g.body1, label %g.done1
g.body1:
  %v4 = sub nsw i64 %g2, %begin
  %v5 = mul nsw i64 %v4, 32
  %v6 = getelementptr inbounds double, ptr %to, i64 %v5
  %v7 = mul nsw i64 %g2, 2
  %v8 = add nsw i64 %v7, 0
  br label %r.head9
r.head9:
  %r10 = phi i64 [0, %g.body1], [%v51, %k.done27]
  %v11 = icmp slt i64 %r10, 4
  br i1 %v11, label %r.body9, label %r.done9
r.body9:
  %v12 = add nsw i64 %r10, 0
  %v13 = add nsw i64 %r10, 0
  %v14 = mul nsw i64 %v13, 16
  %v15 = mul nsw i64 %v12, 2
  %v16 = getelementptr inbounds double, ptr %v6, i64 %v15
  %v17 = add nsw i64 %v8, 0
  %v18 = call i64 @llvm.smin.i64(i64 %v17, i64 15)
  %v19 = add nsw i64 %v18, %v14
  %v20 = mul nsw i64 %v19, 3
  %v21 = getelementptr inbounds double, ptr %weight, i64 %v20
  %v22 = add nsw i64 %v8, 1
  %v23 = call i64 @llvm.smin.i64(i64 %v22, i64 15)
  %v24 = add nsw i64 %v23, %v14
  %v25 = mul nsw i64 %v24, 3
  %v26 = getelementptr inbounds double, ptr %weight, i64 %v25
  br label %k.head27
k.head27:
  %k28 = phi i64 [0, %r.body9], [%v40, %k.body27]
  %v29 = icmp slt i64 %k28, 2
  br i1 %v29, label %k.body27, label %k.done27
k.body27:
  %v30 = getelementptr inbounds double, ptr %v21, i64 %k28
  %v31 = load <2 x double>, ptr %v30, align 8
  %v32 = getelementptr inbounds double, ptr %v26, i64 %k28
  %v33 = load <2 x double>, ptr %v32, align 8
  %v34 = shufflevector <2 x double> %v31, <2 x double> %v33, <2 x i32> <i32 0, i32 2>
  %v35 = shufflevector <2 x double> %v31, <2 x double> %v33, <2 x i32> <i32 1, i32 3>
  %v36 = mul nsw i64 %k28, 8
  %v37 = getelementptr inbounds double, ptr %v16, i64 %v36
  %v38 = getelementptr inbounds double, ptr %v37, i64 0
  store <2 x double> %v34, ptr %v38, align 8
  %v39 = getelementptr inbounds double, ptr %v37, i64 8
  store <2 x double> %v35, ptr %v39, align 8
  %v40 = add nsw i64 %k28, 2
  br label %k.head27
k.done27:
  %v41 = getelementptr inbounds double, ptr %v21, i64 2
  %v42 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v41, i32 8, <2 x i1> <i1 1, i1 0>, <2 x double> zeroinitializer)
  %v43 = getelementptr inbounds double, ptr %v26, i64 2
  %v44 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v43, i32 8, <2 x i1> <i1 1, i1 0>, <2 x double> zeroinitializer)
  %v45 = shufflevector <2 x double> %v42, <2 x double> %v44, <2 x i32> <i32 0, i32 2>
  %v46 = shufflevector <2 x double> %v42, <2 x double> %v44, <2 x i32> <i32 1, i32 3>
  %v47 = mul nsw i64 2, 8
  %v48 = getelementptr inbounds double, ptr %v16, i64 %v47
  %v49 = getelementptr inbounds double, ptr %v48, i64 0
  store <2 x double> %v45, ptr %v49, align 8
  %v50 = getelementptr inbounds double, ptr %v48, i64 8
  store <2 x double> %v46, ptr %v50, align 8
  %v51 = add nsw i64 %r10, 1
  br label %r.head9
r.done9:
  %v52 = add nsw i64 %g2, 1
  br label %g.head1
g.done1:
  ret void
}

define internal void @pack_1(ptr %to, ptr %weight, i64 %begin, i64 %end) noinline {
entry:
  br label %g.head1
g.head1:
  %g2 = phi i64 [%begin, %entry], [%v42, %r.done9]
  %v3 = icmp slt i64 %g2, %end
  br i1 %v3, label %g.body1, label %g.done1
g.body1:
  %v4 = sub nsw i64 %g2, %begin
  %v5 = mul nsw i64 %v4, 128
  %v6 = getelementptr inbounds double, ptr %to, i64 %v5
  %v7 = mul nsw i64 %g2, 2
  %v8 = add nsw i64 %v7, 0
  br label %r.head9
r.head9:
  %r10 = phi i64 [0, %g.body1], [%v41, %k.done27]
  %v11 = icmp slt i64 %r10, 4
  br i1 %v11, label %r.body9, label %r.done9
r.body9:
  %v12 = add nsw i64 %r10, 0
  %v13 = add nsw i64 %r10, 0
  %v14 = mul nsw i64 %v13, 16
  %v15 = mul nsw i64 %v12, 2
  %v16 = getelementptr inbounds double, ptr %v6, i64 %v15
  %v17 = add nsw i64 %v8, 0
  %v18 = call i64 @llvm.smin.i64(i64 %v17, i64 15)
  %v19 = add nsw i64 %v18, %v14
  %v20 = mul nsw i64 %v19, 16
  %v21 = getelementptr inbounds double, ptr %weight, i64 %v20
  %v22 = add nsw i64 %v8, 1
  %v23 = call i64 @llvm.smin.i64(i64 %v22, i64 15)
  %v24 = add nsw i64 %v23, %v14
  %v25 = mul nsw i64 %v24, 16
  %v26 = getelementptr inbounds double, ptr %weight, i64 %v25
  br label %k.head27
k.head27:
  %k28 = phi i64 [0, %r.body9], [%v40, %k.body27]
  %v29 = icmp slt i64 %k28, 16
  br i1 %v29, label %k.body27, label %k.done27
k.body27:
  %v30 = getelementptr inbounds double, ptr %v21, i64 %k28
  %v31 = load <2 x double>, ptr %v30, align 8
  %v32 = getelementptr inbounds double, ptr %v26, i64 %k28
  %v33 = load <2 x double>, ptr %v32, align 8
  %v34 = shufflevector <2 x double> %v31, <2 x double> %v33, <2 x i32> <i32 0, i32 2>
  %v35 = shufflevector <2 x double> %v31, <2 x double> %v33, <2 x i32> <i32 1, i32 3>
  %v36 = mul nsw i64 %k28, 8
  %v37 = getelementptr inbounds double, ptr %v16, i64 %v36
  %v38 = getelementptr inbounds double, ptr %v37, i64 0
  store <2 x double> %v34, ptr %v38, align 8
  %v39 = getelementptr inbounds double, ptr %v37, i64 8
  store <2 x double> %v35, ptr %v39, align 8
  %v40 = add nsw i64 %k28, 2
  br label %k.head27
k.done27:
  %v41 = add nsw i64 %r10, 1
  br label %r.head9
r.done9:
  %v42 = add nsw i64 %g2, 1
  br label %g.head1
g.done1:
  ret void
}

define internal void @point_0_2(ptr %frame, ptr %tile, ptr %slots, i64 %row, i64 %rows, i64 %unit) noinline {
entry:
  %base2.at = getelementptr inbounds ptr, ptr %frame, i64 2
  %base2 = load ptr, ptr %base2.at, align 8
  %base0.at = getelementptr inbounds ptr, ptr %frame, i64 0
  %base0 = load ptr, ptr %base0.at, align 8
  %base1.at = getelementptr inbounds ptr, ptr %frame, i64 1
  %base1 = load ptr, ptr %base1.at, align 8
  br label %q.head1
q.head1:
  %q2 = phi i64 [0, %entry], [%v15, %q.body1]
  %v3 = icmp slt i64 %q2, %rows
  br i1 %v3, label %q.body1, label %q.done1
q.body1:
  %v4 = add nsw i64 %row, %q2
  %v5 = add nsw i64 %unit, 0
  %v6 = mul nsw i64 %q2, 8
  %v7 = add nsw i64 %v6, 0
  %v8 = getelementptr inbounds double, ptr %tile, i64 %v7
  %v9 = mul nsw i64 %q2, 6
  %v10 = getelementptr inbounds double, ptr %slots, i64 %v9
  %v11 = getelementptr inbounds double, ptr %v8, i64 6
  %v12 = load <2 x double>, ptr %v11, align 8
  %v13 = call <2 x double> @sigmoid(<2 x double> %v12)
  %v14 = getelementptr inbounds double, ptr %v10, i64 4
  store <2 x double> %v13, ptr %v14, align 8
  %v15 = add nsw i64 %q2, 1
  br label %q.head1
q.done1:
  br label %q.head16
q.head16:
  %q17 = phi i64 [0, %q.done1], [%v35, %q.body16]
  %v18 = icmp slt i64 %q17, %rows
  br i1 %v18, label %q.body16, label %q.done16
q.body16:
  %v19 = add nsw i64 %row, %q17
  %v20 = add nsw i64 %unit, 0
  %v21 = mul nsw i64 %q17, 8
  %v22 = add nsw i64 %v21, 0
  %v23 = getelementptr inbounds double, ptr %tile, i64 %v22
  %v24 = mul nsw i64 %q17, 6
  %v25 = getelementptr inbounds double, ptr %slots, i64 %v24
  %v26 = getelementptr inbounds double, ptr %v23, i64 2
  %v27 = load <2 x double>, ptr %v26, align 8
  %v28 = call <2 x double> @sigmoid(<2 x double> %v27)
  %v29 = mul nsw i64 %v19, 16
  %v30 = getelementptr inbounds double, ptr %base2, i64 %v29
  %v31 = getelementptr inbounds double, ptr %v30, i64 %v20
  %v32 = load <2 x double>, ptr %v31, align 8
  %v33 = fmul <2 x double> %v28, %v32
  %v34 = getelementptr inbounds double, ptr %v25, i64 2
  store <2 x double> %v33, ptr %v34, align 8
  %v35 = add nsw i64 %q17, 1
  br label %q.head16
q.done16:
  br label %q.head36
q.head36:
  %q37 = phi i64 [0, %q.done16], [%v50, %q.body36]
  %v38 = icmp slt i64 %q37, %rows
  br i1 %v38, label %q.body36, label %q.done36
q.body36:
  %v39 = add nsw i64 %row, %q37
  %v40 = add nsw i64 %unit, 0
  %v41 = mul nsw i64 %q37, 8
  %v42 = add nsw i64 %v41, 0
  %v43 = getelementptr inbounds double, ptr %tile, i64 %v42
  %v44 = mul nsw i64 %q37, 6
  %v45 = getelementptr inbounds double, ptr %slots, i64 %v44
  %v46 = getelementptr inbounds double, ptr %v43, i64 0
  %v47 = load <2 x double>, ptr %v46, align 8
  %v48 = call <2 x double> @sigmoid(<2 x double> %v47)
  %v49 = getelementptr inbounds double, ptr %v45, i64 0
  store <2 x double> %v48, ptr %v49, align 8
  %v50 = add nsw i64 %q37, 1
  br label %q.head36
q.done36:
  br label %q.head51
q.head51:
  %q52 = phi i64 [0, %q.done36], [%v73, %q.body51]
  %v53 = icmp slt i64 %q52, %rows
  br i1 %v53, label %q.body51, label %q.done51
q.body51:
  %v54 = add nsw i64 %row, %q52
  %v55 = add nsw i64 %unit, 0
  %v56 = mul nsw i64 %q52, 8
  %v57 = add nsw i64 %v56, 0
  %v58 = getelementptr inbounds double, ptr %tile, i64 %v57
  %v59 = mul nsw i64 %q52, 6
  %v60 = getelementptr inbounds double, ptr %slots, i64 %v59
  %v61 = getelementptr inbounds double, ptr %v58, i64 4
  %v62 = load <2 x double>, ptr %v61, align 8
  %v63 = call <2 x double> @tanh(<2 x double> %v62)
  %v64 = getelementptr inbounds double, ptr %v60, i64 0
  %v65 = load <2 x double>, ptr %v64, align 8
  %v66 = fmul <2 x double> %v65, %v63
  %v67 = getelementptr inbounds double, ptr %v60, i64 2
  %v68 = load <2 x double>, ptr %v67, align 8
  %v69 = fadd <2 x double> %v68, %v66
  %v70 = mul nsw i64 %v54, 16
  %v71 = getelementptr inbounds double, ptr %base0, i64 %v70
  %v72 = getelementptr inbounds double, ptr %v71, i64 %v55
  store <2 x double> %v69, ptr %v72, align 8
  %v73 = add nsw i64 %q52, 1
  br label %q.head51
q.done51:
  br label %q.head74
q.head74:
  %q75 = phi i64 [0, %q.done51], [%v95, %q.body74]
  %v76 = icmp slt i64 %q75, %rows
  br i1 %v76, label %q.body74, label %q.done74
q.body74:
  %v77 = add nsw i64 %row, %q75
  %v78 = add nsw i64 %unit, 0
  %v79 = mul nsw i64 %q75, 8
  %v80 = add nsw i64 %v79, 0
  %v81 = getelementptr inbounds double, ptr %tile, i64 %v80
  %v82 = mul nsw i64 %q75, 6
  %v83 = getelementptr inbounds double, ptr %slots, i64 %v82
  %v84 = mul nsw i64 %v77, 16
  %v85 = getelementptr inbounds double, ptr %base0, i64 %v84
  %v86 = getelementptr inbounds double, ptr %v85, i64 %v78
  %v87 = load <2 x double>, ptr %v86, align 8
  %v88 = call <2 x double> @tanh(<2 x double> %v87)
  %v89 = getelementptr inbounds double, ptr %v83, i64 4
  %v90 = load <2 x double>, ptr %v89, align 8
  %v91 = fmul <2 x double> %v90, %v88
  %v92 = mul nsw i64 %v77, 16
  %v93 = getelementptr inbounds double, ptr %base1, i64 %v92
  %v94 = getelementptr inbounds double, ptr %v93, i64 %v78
  store <2 x double> %v91, ptr %v94, align 8
  %v95 = add nsw i64 %q75, 1
  br label %q.head74
q.done74:
  ret void
}

define internal void @tile_4_0_1_2_3_ssss_8_1(ptr %tile, ptr %start, i64 %step, ptr %source, i64 %stride, ptr %weight, i64 %pitch, i64 %length) noinline {
entry:
  %v1 = mul nsw i64 %stride, 0
  %v2 = getelementptr inbounds double, ptr %source, i64 %v1
  %v3 = mul nsw i64 %step, 0
  %v4 = getelementptr inbounds double, ptr %start, i64 %v3
  %v5 = getelementptr inbounds double, ptr %v4, i64 0
  %v6 = load <2 x double>, ptr %v5, align 8
  %v7 = getelementptr inbounds double, ptr %v4, i64 2
  %v8 = load <2 x double>, ptr %v7, align 8
  %v9 = getelementptr inbounds double, ptr %v4, i64 4
  %v10 = load <2 x double>, ptr %v9, align 8
  %v11 = getelementptr inbounds double, ptr %v4, i64 6
  %v12 = load <2 x double>, ptr %v11, align 8
  %v13 = sdiv i64 %length, 2
  %v14 = mul nsw i64 %v13, 2
  br label %k.head15
k.head15:
  %k16 = phi i64 [0, %entry], [%v63, %k.body15]
  %k.c17 = phi <2 x double> [%v6, %entry], [%v34, %k.body15]
  %k.c18 = phi <2 x double> [%v8, %entry], [%v37, %k.body15]
  %k.c19 = phi <2 x double> [%v10, %entry], [%v40, %k.body15]
  %k.c20 = phi <2 x double> [%v12, %entry], [%v43, %k.body15]
  %k.c21 = phi <2 x double> [splat (double 0x0000000000000000), %entry], [%v53, %k.body15]
  %k.c22 = phi <2 x double> [splat (double 0x0000000000000000), %entry], [%v56, %k.body15]
  %k.c23 = phi <2 x double> [splat (double 0x0000000000000000), %entry], [%v59, %k.body15]
  %k.c24 = phi <2 x double> [splat (double 0x0000000000000000), %entry], [%v62, %k.body15]
  %v25 = icmp slt i64 %k16, %v14
  br i1 %v25, label %k.body15, label %k.done15
k.body15:
  %v26 = getelementptr inbounds double, ptr %v2, i64 %k16
  %v27 = load double, ptr %v26, align 8
  %v28 = insertelement <2 x double> poison, double %v27, i64 0
  %v29 = shufflevector <2 x double> %v28, <2 x double> poison, <2 x i32> zeroinitializer
  %v30 = mul nsw i64 %k16, %pitch
  %v31 = getelementptr inbounds double, ptr %weight, i64 %v30
  %v32 = getelementptr inbounds double, ptr %v31, i64 0
  %v33 = load <2 x double>, ptr %v32, align 8
  %v34 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v29, <2 x double> %v33, <2 x double> %k.c17)
  %v35 = getelementptr inbounds double, ptr %v31, i64 2
  %v36 = load <2 x double>, ptr %v35, align 8
  %v37 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v29, <2 x double> %v36, <2 x double> %k.c18)
  %v38 = getelementptr inbounds double, ptr %v31, i64 4
  %v39 = load <2 x double>, ptr %v38, align 8
  %v40 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v29, <2 x double> %v39, <2 x double> %k.c19)
  %v41 = getelementptr inbounds double, ptr %v31, i64 6
  %v42 = load <2 x double>, ptr %v41, align 8
  %v43 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v29, <2 x double> %v42, <2 x double> %k.c20)
  %v44 = add nuw nsw i64 %k16, 1
  %v45 = getelementptr inbounds double, ptr %v2, i64 %v44
  %v46 = load double, ptr %v45, align 8
  %v47 = insertelement <2 x double> poison, double %v46, i64 0
  %v48 = shufflevector <2 x double> %v47, <2 x double> poison, <2 x i32> zeroinitializer
  %v49 = mul nsw i64 %v44, %pitch
  %v50 = getelementptr inbounds double, ptr %weight, i64 %v49
  %v51 = getelementptr inbounds double, ptr %v50, i64 0
  %v52 = load <2 x double>, ptr %v51, align 8
  %v53 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v48, <2 x double> %v52, <2 x double> %k.c21)
  %v54 = getelementptr inbounds double, ptr %v50, i64 2
  %v55 = load <2 x double>, ptr %v54, align 8
  %v56 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v48, <2 x double> %v55, <2 x double> %k.c22)
  %v57 = getelementptr inbounds double, ptr %v50, i64 4
  %v58 = load <2 x double>, ptr %v57, align 8
  %v59 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v48, <2 x double> %v58, <2 x double> %k.c23)
  %v60 = getelementptr inbounds double, ptr %v50, i64 6
  %v61 = load <2 x double>, ptr %v60, align 8
  %v62 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v48, <2 x double> %v61, <2 x double> %k.c24)
  %v63 = add nsw i64 %k16, 2
  br label %k.head15
k.done15:
  %v64 = fadd <2 x double> %k.c17, %k.c21
  %v65 = fadd <2 x double> %k.c18, %k.c22
  %v66 = fadd <2 x double> %k.c19, %k.c23
  %v67 = fadd <2 x double> %k.c20, %k.c24
  br label %k.head68
k.head68:
  %k69 = phi i64 [%v14, %k.done15], [%v93, %k.body68]
  %k.c70 = phi <2 x double> [%v64, %k.done15], [%v83, %k.body68]
  %k.c71 = phi <2 x double> [%v65, %k.done15], [%v86, %k.body68]
  %k.c72 = phi <2 x double> [%v66, %k.done15], [%v89, %k.body68]
  %k.c73 = phi <2 x double> [%v67, %k.done15], [%v92, %k.body68]
  %v74 = icmp slt i64 %k69, %length
  br i1 %v74, label %k.body68, label %k.done68
k.body68:
  %v75 = getelementptr inbounds double, ptr %v2, i64 %k69
  %v76 = load double, ptr %v75, align 8
  %v77 = insertelement <2 x double> poison, double %v76, i64 0
  %v78 = shufflevector <2 x double> %v77, <2 x double> poison, <2 x i32> zeroinitializer
  %v79 = mul nsw i64 %k69, %pitch
  %v80 = getelementptr inbounds double, ptr %weight, i64 %v79
  %v81 = getelementptr inbounds double, ptr %v80, i64 0
  %v82 = load <2 x double>, ptr %v81, align 8
  %v83 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v78, <2 x double> %v82, <2 x double> %k.c70)
  %v84 = getelementptr inbounds double, ptr %v80, i64 2
  %v85 = load <2 x double>, ptr %v84, align 8
  %v86 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v78, <2 x double> %v85, <2 x double> %k.c71)
  %v87 = getelementptr inbounds double, ptr %v80, i64 4
  %v88 = load <2 x double>, ptr %v87, align 8
  %v89 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v78, <2 x double> %v88, <2 x double> %k.c72)
  %v90 = getelementptr inbounds double, ptr %v80, i64 6
  %v91 = load <2 x double>, ptr %v90, align 8
  %v92 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v78, <2 x double> %v91, <2 x double> %k.c73)
  %v93 = add nsw i64 %k69, 1
  br label %k.head68
k.done68:
  %v94 = getelementptr inbounds double, ptr %tile, i64 0
  store <2 x double> %k.c70, ptr %v94, align 8
  %v95 = getelementptr inbounds double, ptr %tile, i64 2
  store <2 x double> %k.c71, ptr %v95, align 8
  %v96 = getelementptr inbounds double, ptr %tile, i64 4
  store <2 x double> %k.c72, ptr %v96, align 8
  %v97 = getelementptr inbounds double, ptr %tile, i64 6
  store <2 x double> %k.c73, ptr %v97, align 8
  ret void
}

define internal void @tile_4_0_1_2_3_ssss_8_2(ptr %tile, ptr %start, i64 %step, ptr %source, i64 %stride, ptr %weight, i64 %pitch, i64 %length) noinline {
entry:
  %v1 = mul nsw i64 %stride, 0
  %v2 = getelementptr inbounds double, ptr %source, i64 %v1
  %v3 = mul nsw i64 %stride, 1
  %v4 = getelementptr inbounds double, ptr %source, i64 %v3
  %v5 = mul nsw i64 %step, 0
  %v6 = getelementptr inbounds double, ptr %start, i64 %v5
  %v7 = getelementptr inbounds double, ptr %v6, i64 0
  %v8 = load <2 x double>, ptr %v7, align 8
  %v9 = getelementptr inbounds double, ptr %v6, i64 2
  %v10 = load <2 x double>, ptr %v9, align 8
  %v11 = getelementptr inbounds double, ptr %v6, i64 4
  %v12 = load <2 x double>, ptr %v11, align 8
  %v13 = getelementptr inbounds double, ptr %v6, i64 6
  %v14 = load <2 x double>, ptr %v13, align 8
  %v15 = mul nsw i64 %step, 1
  %v16 = getelementptr inbounds double, ptr %start, i64 %v15
  %v17 = getelementptr inbounds double, ptr %v16, i64 0
  %v18 = load <2 x double>, ptr %v17, align 8
  %v19 = getelementptr inbounds double, ptr %v16, i64 2
  %v20 = load <2 x double>, ptr %v19, align 8
  %v21 = getelementptr inbounds double, ptr %v16, i64 4
  %v22 = load <2 x double>, ptr %v21, align 8
  %v23 = getelementptr inbounds double, ptr %v16, i64 6
  %v24 = load <2 x double>, ptr %v23, align 8
  %v25 = sdiv i64 %length, 1
  %v26 = mul nsw i64 %v25, 1
  br label %k.head27
k.head27:
  %k28 = phi i64 [0, %entry], [%v64, %k.body27]
  %k.c29 = phi <2 x double> [%v8, %entry], [%v50, %k.body27]
  %k.c30 = phi <2 x double> [%v10, %entry], [%v54, %k.body27]
  %k.c31 = phi <2 x double> [%v12, %entry], [%v58, %k.body27]
  %k.c32 = phi <2 x double> [%v14, %entry], [%v62, %k.body27]
  %k.c33 = phi <2 x double> [%v18, %entry], [%v51, %k.body27]
  %k.c34 = phi <2 x double> [%v20, %entry], [%v55, %k.body27]
  %k.c35 = phi <2 x double> [%v22, %entry], [%v59, %k.body27]
  %k.c36 = phi <2 x double> [%v24, %entry], [%v63, %k.body27]
  %v37 = icmp slt i64 %k28, %v26
  br i1 %v37, label %k.body27, label %k.done27
k.body27:
  %v38 = getelementptr inbounds double, ptr %v2, i64 %k28
  %v39 = load double, ptr %v38, align 8
  %v40 = insertelement <2 x double> poison, double %v39, i64 0
  %v41 = shufflevector <2 x double> %v40, <2 x double> poison, <2 x i32> zeroinitializer
  %v42 = getelementptr inbounds double, ptr %v4, i64 %k28
  %v43 = load double, ptr %v42, align 8
  %v44 = insertelement <2 x double> poison, double %v43, i64 0
  %v45 = shufflevector <2 x double> %v44, <2 x double> poison, <2 x i32> zeroinitializer
  %v46 = mul nsw i64 %k28, %pitch
  %v47 = getelementptr inbounds double, ptr %weight, i64 %v46
  %v48 = getelementptr inbounds double, ptr %v47, i64 0
  %v49 = load <2 x double>, ptr %v48, align 8
  %v50 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v41, <2 x double> %v49, <2 x double> %k.c29)
  %v51 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v45, <2 x double> %v49, <2 x double> %k.c33)
  %v52 = getelementptr inbounds double, ptr %v47, i64 2
  %v53 = load <2 x double>, ptr %v52, align 8
  %v54 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v41, <2 x double> %v53, <2 x double> %k.c30)
  %v55 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v45, <2 x double> %v53, <2 x double> %k.c34)
  %v56 = getelementptr inbounds double, ptr %v47, i64 4
  %v57 = load <2 x double>, ptr %v56, align 8
  %v58 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v41, <2 x double> %v57, <2 x double> %k.c31)
  %v59 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v45, <2 x double> %v57, <2 x double> %k.c35)
  %v60 = getelementptr inbounds double, ptr %v47, i64 6
  %v61 = load <2 x double>, ptr %v60, align 8
  %v62 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v41, <2 x double> %v61, <2 x double> %k.c32)
  %v63 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v45, <2 x double> %v61, <2 x double> %k.c36)
  %v64 = add nsw i64 %k28, 1
  br label %k.head27
k.done27:
  %v65 = getelementptr inbounds double, ptr %tile, i64 0
  store <2 x double> %k.c29, ptr %v65, align 8
  %v66 = getelementptr inbounds double, ptr %tile, i64 2
  store <2 x double> %k.c30, ptr %v66, align 8
  %v67 = getelementptr inbounds double, ptr %tile, i64 4
  store <2 x double> %k.c31, ptr %v67, align 8
  %v68 = getelementptr inbounds double, ptr %tile, i64 6
  store <2 x double> %k.c32, ptr %v68, align 8
  %v69 = getelementptr inbounds double, ptr %tile, i64 8
  store <2 x double> %k.c33, ptr %v69, align 8
  %v70 = getelementptr inbounds double, ptr %tile, i64 10
  store <2 x double> %k.c34, ptr %v70, align 8
  %v71 = getelementptr inbounds double, ptr %tile, i64 12
  store <2 x double> %k.c35, ptr %v71, align 8
  %v72 = getelementptr inbounds double, ptr %tile, i64 14
  store <2 x double> %k.c36, ptr %v72, align 8
  ret void
}

define internal void @tile_4_0_1_2_3_ssss_8_3(ptr %tile, ptr %start, i64 %step, ptr %source, i64 %stride, ptr %weight, i64 %pitch, i64 %length) noinline {
entry:
  %v1 = mul nsw i64 %stride, 0
  %v2 = getelementptr inbounds double, ptr %source, i64 %v1
  %v3 = mul nsw i64 %stride, 1
  %v4 = getelementptr inbounds double, ptr %source, i64 %v3
  %v5 = mul nsw i64 %stride, 2
  %v6 = getelementptr inbounds double, ptr %source, i64 %v5
  %v7 = mul nsw i64 %step, 0
  %v8 = getelementptr inbounds double, ptr %start, i64 %v7
  %v9 = getelementptr inbounds double, ptr %v8, i64 0
  %v10 = load <2 x double>, ptr %v9, align 8
  %v11 = getelementptr inbounds double, ptr %v8, i64 2
  %v12 = load <2 x double>, ptr %v11, align 8
  %v13 = getelementptr inbounds double, ptr %v8, i64 4
  %v14 = load <2 x double>, ptr %v13, align 8
  %v15 = getelementptr inbounds double, ptr %v8, i64 6
  %v16 = load <2 x double>, ptr %v15, align 8
  %v17 = mul nsw i64 %step, 1
  %v18 = getelementptr inbounds double, ptr %start, i64 %v17
  %v19 = getelementptr inbounds double, ptr %v18, i64 0
  %v20 = load <2 x double>, ptr %v19, align 8
  %v21 = getelementptr inbounds double, ptr %v18, i64 2
  %v22 = load <2 x double>, ptr %v21, align 8
  %v23 = getelementptr inbounds double, ptr %v18, i64 4
  %v24 = load <2 x double>, ptr %v23, align 8
  %v25 = getelementptr inbounds double, ptr %v18, i64 6
  %v26 = load <2 x double>, ptr %v25, align 8
  %v27 = mul nsw i64 %step, 2
  %v28 = getelementptr inbounds double, ptr %start, i64 %v27
  %v29 = getelementptr inbounds double, ptr %v28, i64 0
  %v30 = load <2 x double>, ptr %v29, align 8
  %v31 = getelementptr inbounds double, ptr %v28, i64 2
  %v32 = load <2 x double>, ptr %v31, align 8
  %v33 = getelementptr inbounds double, ptr %v28, i64 4
  %v34 = load <2 x double>, ptr %v33, align 8
  %v35 = getelementptr inbounds double, ptr %v28, i64 6
  %v36 = load <2 x double>, ptr %v35, align 8
  %v37 = sdiv i64 %length, 1
  %v38 = mul nsw i64 %v37, 1
  br label %k.head39
k.head39:
  %k40 = phi i64 [0, %entry], [%v88, %k.body39]
  %k.c41 = phi <2 x double> [%v10, %entry], [%v70, %k.body39]
  %k.c42 = phi <2 x double> [%v12, %entry], [%v75, %k.body39]
  %k.c43 = phi <2 x double> [%v14, %entry], [%v80, %k.body39]
  %k.c44 = phi <2 x double> [%v16, %entry], [%v85, %k.body39]
  %k.c45 = phi <2 x double> [%v20, %entry], [%v71, %k.body39]
  %k.c46 = phi <2 x double> [%v22, %entry], [%v76, %k.body39]
  %k.c47 = phi <2 x double> [%v24, %entry], [%v81, %k.body39]
  %k.c48 = phi <2 x double> [%v26, %entry], [%v86, %k.body39]
  %k.c49 = phi <2 x double> [%v30, %entry], [%v72, %k.body39]
  %k.c50 = phi <2 x double> [%v32, %entry], [%v77, %k.body39]
  %k.c51 = phi <2 x double> [%v34, %entry], [%v82, %k.body39]
  %k.c52 = phi <2 x double> [%v36, %entry], [%v87, %k.body39]
  %v53 = icmp slt i64 %k40, %v38
  br i1 %v53, label %k.body39, label %k.done39
k.body39:
  %v54 = getelementptr inbounds double, ptr %v2, i64 %k40
  %v55 = load double, ptr %v54, align 8
  %v56 = insertelement <2 x double> poison, double %v55, i64 0
  %v57 = shufflevector <2 x double> %v56, <2 x double> poison, <2 x i32> zeroinitializer
  %v58 = getelementptr inbounds double, ptr %v4, i64 %k40
  %v59 = load double, ptr %v58, align 8
  %v60 = insertelement <2 x double> poison, double %v59, i64 0
  %v61 = shufflevector <2 x double> %v60, <2 x double> poison, <2 x i32> zeroinitializer
  %v62 = getelementptr inbounds double, ptr %v6, i64 %k40
  %v63 = load double, ptr %v62, align 8
  %v64 = insertelement <2 x double> poison, double %v63, i64 0
  %v65 = shufflevector <2 x double> %v64, <2 x double> poison, <2 x i32> zeroinitializer
  %v66 = mul nsw i64 %k40, %pitch
  %v67 = getelementptr inbounds double, ptr %weight, i64 %v66
  %v68 = getelementptr inbounds double, ptr %v67, i64 0
  %v69 = load <2 x double>, ptr %v68, align 8
  %v70 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v57, <2 x double> %v69, <2 x double> %k.c41)
  %v71 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v61, <2 x double> %v69, <2 x double> %k.c45)
  %v72 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v65, <2 x double> %v69, <2 x double> %k.c49)
  %v73 = getelementptr inbounds double, ptr %v67, i64 2
  %v74 = load <2 x double>, ptr %v73, align 8
  %v75 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v57, <2 x double> %v74, <2 x double> %k.c42)
  %v76 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v61, <2 x double> %v74, <2 x double> %k.c46)
  %v77 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v65, <2 x double> %v74, <2 x double> %k.c50)
  %v78 = getelementptr inbounds double, ptr %v67, i64 4
  %v79 = load <2 x double>, ptr %v78, align 8
  %v80 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v57, <2 x double> %v79, <2 x double> %k.c43)
  %v81 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v61, <2 x double> %v79, <2 x double> %k.c47)
  %v82 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v65, <2 x double> %v79, <2 x double> %k.c51)
  %v83 = getelementptr inbounds double, ptr %v67, i64 6
  %v84 = load <2 x double>, ptr %v83, align 8
  %v85 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v57, <2 x double> %v84, <2 x double> %k.c44)
  %v86 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v61, <2 x double> %v84, <2 x double> %k.c48)
  %v87 = call <2 x double> @llvm.fmuladd.v2f64(<2 x double> %v65, <2 x double> %v84, <2 x double> %k.c52)
  %v88 = add nsw i64 %k40, 1
  br label %k.head39
k.done39:
  %v89 = getelementptr inbounds double, ptr %tile, i64 0
  store <2 x double> %k.c41, ptr %v89, align 8
  %v90 = getelementptr inbounds double, ptr %tile, i64 2
  store <2 x double> %k.c42, ptr %v90, align 8
  %v91 = getelementptr inbounds double, ptr %tile, i64 4
  store <2 x double> %k.c43, ptr %v91, align 8
  %v92 = getelementptr inbounds double, ptr %tile, i64 6
  store <2 x double> %k.c44, ptr %v92, align 8
  %v93 = getelementptr inbounds double, ptr %tile, i64 8
  store <2 x double> %k.c45, ptr %v93, align 8
  %v94 = getelementptr inbounds double, ptr %tile, i64 10
  store <2 x double> %k.c46, ptr %v94, align 8
  %v95 = getelementptr inbounds double, ptr %tile, i64 12
  store <2 x double> %k.c47, ptr %v95, align 8
  %v96 = getelementptr inbounds double, ptr %tile, i64 14
  store <2 x double> %k.c48, ptr %v96, align 8
  %v97 = getelementptr inbounds double, ptr %tile, i64 16
  store <2 x double> %k.c49, ptr %v97, align 8
  %v98 = getelementptr inbounds double, ptr %tile, i64 18
  store <2 x double> %k.c50, ptr %v98, align 8
  %v99 = getelementptr inbounds double, ptr %tile, i64 20
  store <2 x double> %k.c51, ptr %v99, align 8
  %v100 = getelementptr inbounds double, ptr %tile, i64 22
  store <2 x double> %k.c52, ptr %v100, align 8
  ret void
}

define internal void @tile_4_0_1_2_3_ssss_8(ptr %tile, ptr %start, i64 %step, ptr %source, i64 %stride, ptr %weight, i64 %pitch, i64 %length, i64 %rows) noinline {
entry:
  %v1 = add nsw i64 %rows, 2
  %v2 = sdiv i64 %v1, 3
  %v3 = call i64 @llvm.smax.i64(i64 %v2, i64 1)
  %v4 = sdiv i64 %rows, %v3
  %v5 = mul nsw i64 %v4, %v2
  %v6 = sub nsw i64 %rows, %v5
  br label %i.head7
i.head7:
  %i8 = phi i64 [0, %entry], [%v22, %done20]
  %i.c9 = phi i64 [0, %entry], [%v21, %done20]
  %v10 = icmp slt i64 %i8, %v2
  br i1 %v10, label %i.body7, label %i.done7
i.body7:
  %v11 = icmp slt i64 %i8, %v6
  %v12 = zext i1 %v11 to i64
  %v13 = add nsw i64 %v4, %v12
  %v14 = mul nsw i64 %i.c9, 8
  %v15 = getelementptr inbounds double, ptr %tile, i64 %v14
  %v16 = mul nsw i64 %i.c9, %step
  %v17 = getelementptr inbounds double, ptr %start, i64 %v16
  %v18 = mul nsw i64 %i.c9, %stride
  %v19 = getelementptr inbounds double, ptr %source, i64 %v18
  switch i64 %v13, label %case20.1 [i64 1, label %case20.1 i64 2, label %case20.2 i64 3, label %case20.3]
case20.1:
  call void @tile_4_0_1_2_3_ssss_8_1(ptr %v15, ptr %v17, i64 %step, ptr %v19, i64 %stride, ptr %weight, i64 %pitch, i64 %length)
  br label %done20
case20.2:
  call void @tile_4_0_1_2_3_ssss_8_2(ptr %v15, ptr %v17, i64 %step, ptr %v19, i64 %stride, ptr %weight, i64 %pitch, i64 %length)
  br label %done20
case20.3:
  call void @tile_4_0_1_2_3_ssss_8_3(ptr %v15, ptr %v17, i64 %step, ptr %v19, i64 %stride, ptr %weight, i64 %pitch, i64 %length)
  br label %done20
done20:
  %v21 = add nsw i64 %i.c9, %v13
  %v22 = add nsw i64 %i8, 1
  br label %i.head7
i.done7:
  ret void
}

define internal void @pass_0(ptr %arguments, ptr %frame, ptr %tile, i64 %begin, i64 %end, i64 %from, i64 %to) noinline {
entry:
  %v1 = call i64 @llvm.smin.i64(i64 %to, i64 8)
  br label %g.head2
g.head2:
  %g3 = phi i64 [%from, %entry], [%v41, %c.done7]
  %v4 = icmp slt i64 %g3, %v1
  br i1 %v4, label %g.body2, label %g.done2
g.body2:
  %v5 = mul nsw i64 %g3, 2
  %v6 = getelementptr inbounds double, ptr %tile, i64 512
  br label %c.head7
c.head7:
  %c8 = phi i64 [%begin, %g.body2], [%v40, %c.body7]
  %v9 = icmp slt i64 %c8, %end
  br i1 %v9, label %c.body7, label %c.done7
c.body7:
  %v10 = sub nsw i64 %end, %c8
  %v11 = call i64 @llvm.smin.i64(i64 %v10, i64 64)
  %v12 = getelementptr inbounds ptr, ptr %frame, i64 3
  %v13 = load ptr, ptr %v12, align 8
  %v14 = mul nsw i64 %c8, 3
  %v15 = getelementptr inbounds double, ptr %v13, i64 %v14
  %v16 = getelementptr inbounds ptr, ptr %frame, i64 5
  %v17 = load ptr, ptr %v16, align 8
  %v18 = mul nsw i64 %g3, 32
  %v19 = getelementptr inbounds double, ptr %v17, i64 %v18
  %v20 = getelementptr inbounds ptr, ptr %frame, i64 7
  %v21 = load ptr, ptr %v20, align 8
  %v22 = mul nsw i64 %g3, 8
  %v23 = getelementptr inbounds double, ptr %v21, i64 %v22
  %v24 = getelementptr inbounds double, ptr %v15, i64 0
  %v25 = getelementptr inbounds double, ptr %v19, i64 0
  call void @tile_4_0_1_2_3_ssss_8(ptr %tile, ptr %v23, i64 0, ptr %v24, i64 3, ptr %v25, i64 8, i64 3, i64 %v11)
  %v26 = getelementptr inbounds ptr, ptr %frame, i64 4
  %v27 = load ptr, ptr %v26, align 8
  %v28 = mul nsw i64 %c8, 16
  %v29 = getelementptr inbounds double, ptr %v27, i64 %v28
  %v30 = getelementptr inbounds ptr, ptr %frame, i64 6
  %v31 = load ptr, ptr %v30, align 8
  %v32 = mul nsw i64 %g3, 128
  %v33 = getelementptr inbounds double, ptr %v31, i64 %v32
  %v34 = getelementptr inbounds ptr, ptr %frame, i64 7
  %v35 = load ptr, ptr %v34, align 8
  %v36 = mul nsw i64 %g3, 8
  %v37 = getelementptr inbounds double, ptr %v35, i64 %v36
  %v38 = getelementptr inbounds double, ptr %v29, i64 0
  %v39 = getelementptr inbounds double, ptr %v33, i64 0
  call void @tile_4_0_1_2_3_ssss_8(ptr %tile, ptr %tile, i64 8, ptr %v38, i64 16, ptr %v39, i64 8, i64 16, i64 %v11)
  call void @point_0_2(ptr %frame, ptr %tile, ptr %v6, i64 %c8, i64 %v11, i64 %v5)
  %v40 = add nsw i64 %c8, 64
  br label %c.head7
c.done7:
  %v41 = add nsw i64 %g3, 1
  br label %g.head2
g.done2:
  ret void
}

define internal void @prepare(ptr %arguments, i64 %part, i64 %parts) noinline {
entry:
  %v1 = mul nsw i64 8, %part
  %v2 = sdiv i64 %v1, %parts
  %v3 = add nsw i64 %part, 1
  %v4 = mul nsw i64 8, %v3
  %v5 = sdiv i64 %v4, %parts
  %v6 = getelementptr inbounds i64, ptr %arguments, i64 16
  %v7 = load ptr, ptr %v6, align 8
  %v8 = getelementptr inbounds i64, ptr %arguments, i64 18
  %v9 = load ptr, ptr %v8, align 8
  %v10 = mul nsw i64 %v2, 32
  %v11 = getelementptr inbounds double, ptr %v9, i64 %v10
  call void @pack_0(ptr %v11, ptr %v7, i64 %v2, i64 %v5)
  %v12 = getelementptr inbounds i64, ptr %arguments, i64 20
  %v13 = load ptr, ptr %v12, align 8
  %v14 = getelementptr inbounds i64, ptr %arguments, i64 22
  %v15 = load ptr, ptr %v14, align 8
  %v16 = mul nsw i64 %v2, 128
  %v17 = getelementptr inbounds double, ptr %v15, i64 %v16
  call void @pack_1(ptr %v17, ptr %v13, i64 %v2, i64 %v5)
  %v18 = getelementptr inbounds i64, ptr %arguments, i64 28
  %v19 = load ptr, ptr %v18, align 8
  %v20 = getelementptr inbounds i64, ptr %arguments, i64 24
  %v21 = load ptr, ptr %v20, align 8
  %v22 = getelementptr inbounds i64, ptr %arguments, i64 26
  %v23 = load ptr, ptr %v22, align 8
  %v24 = getelementptr inbounds i64, ptr %arguments, i64 24
  %v25 = load ptr, ptr %v24, align 8
  %v26 = getelementptr inbounds i64, ptr %arguments, i64 26
  %v27 = load ptr, ptr %v26, align 8
  %v28 = getelementptr inbounds i64, ptr %arguments, i64 24
  %v29 = load ptr, ptr %v28, align 8
  %v30 = getelementptr inbounds i64, ptr %arguments, i64 26
  %v31 = load ptr, ptr %v30, align 8
  %v32 = getelementptr inbounds i64, ptr %arguments, i64 24
  %v33 = load ptr, ptr %v32, align 8
  %v34 = getelementptr inbounds i64, ptr %arguments, i64 26
  %v35 = load ptr, ptr %v34, align 8
  br label %g.head36
g.head36:
  %g37 = phi i64 [%v2, %entry], [%v89, %g.body36]
  %v38 = icmp slt i64 %g37, %v5
  br i1 %v38, label %g.body36, label %g.done36
g.body36:
  %v39 = mul nsw i64 %g37, 2
  %v40 = add nsw i64 %v39, 0
  %v41 = sub nsw i64 16, %v40
  %v42 = insertelement <2 x i64> poison, i64 %v41, i64 0
  %v43 = shufflevector <2 x i64> %v42, <2 x i64> poison, <2 x i32> zeroinitializer
  %v44 = icmp slt <2 x i64> <i64 0, i64 1>, %v43
  %v45 = add nsw i64 %v40, 0
  %v46 = getelementptr inbounds double, ptr %v33, i64 %v45
  %v47 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v46, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v48 = fadd <2 x double> splat (double 0x0000000000000000), %v47
  %v49 = add nsw i64 %v40, 0
  %v50 = getelementptr inbounds double, ptr %v35, i64 %v49
  %v51 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v50, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v52 = fadd <2 x double> %v48, %v51
  %v53 = mul nsw i64 %g37, 8
  %v54 = getelementptr inbounds double, ptr %v19, i64 %v53
  %v55 = getelementptr inbounds double, ptr %v54, i64 0
  store <2 x double> %v52, ptr %v55, align 8
  %v56 = add nsw i64 %v40, 16
  %v57 = getelementptr inbounds double, ptr %v33, i64 %v56
  %v58 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v57, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v59 = fadd <2 x double> splat (double 0x0000000000000000), %v58
  %v60 = add nsw i64 %v40, 16
  %v61 = getelementptr inbounds double, ptr %v35, i64 %v60
  %v62 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v61, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v63 = fadd <2 x double> %v59, %v62
  %v64 = mul nsw i64 %g37, 8
  %v65 = getelementptr inbounds double, ptr %v19, i64 %v64
  %v66 = getelementptr inbounds double, ptr %v65, i64 2
  store <2 x double> %v63, ptr %v66, align 8
  %v67 = add nsw i64 %v40, 32
  %v68 = getelementptr inbounds double, ptr %v33, i64 %v67
  %v69 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v68, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v70 = fadd <2 x double> splat (double 0x0000000000000000), %v69
  %v71 = add nsw i64 %v40, 32
  %v72 = getelementptr inbounds double, ptr %v35, i64 %v71
  %v73 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v72, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v74 = fadd <2 x double> %v70, %v73
  %v75 = mul nsw i64 %g37, 8
  %v76 = getelementptr inbounds double, ptr %v19, i64 %v75
  %v77 = getelementptr inbounds double, ptr %v76, i64 4
  store <2 x double> %v74, ptr %v77, align 8
  %v78 = add nsw i64 %v40, 48
  %v79 = getelementptr inbounds double, ptr %v33, i64 %v78
  %v80 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v79, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v81 = fadd <2 x double> splat (double 0x0000000000000000), %v80
  %v82 = add nsw i64 %v40, 48
  %v83 = getelementptr inbounds double, ptr %v35, i64 %v82
  %v84 = call <2 x double> @llvm.masked.load.v2f64.p0(ptr %v83, i32 8, <2 x i1> %v44, <2 x double> zeroinitializer)
  %v85 = fadd <2 x double> %v81, %v84
  %v86 = mul nsw i64 %g37, 8
  %v87 = getelementptr inbounds double, ptr %v19, i64 %v86
  %v88 = getelementptr inbounds double, ptr %v87, i64 6
  store <2 x double> %v85, ptr %v88, align 8
  %v89 = add nsw i64 %g37, 1
  br label %g.head36
g.done36:
  ret void
}

define internal void @work(ptr %arguments, i64 %begin, i64 %end, i64 %part, i64 %parts, i64 %thread, ptr %counter) {
entry:
  %v1 = alloca [896 x double], align 64
  %v2 = alloca [9 x ptr], align 8
  %v3 = getelementptr inbounds i64, ptr %arguments, i64 0
  %v4 = load i64, ptr %v3, align 8
  %v5 = getelementptr inbounds i64, ptr %arguments, i64 1
  %v6 = load ptr, ptr %v5, align 8
  %v7 = getelementptr inbounds i64, ptr %arguments, i64 6
  %v8 = load ptr, ptr %v7, align 8
  %v9 = getelementptr inbounds i64, ptr %arguments, i64 8
  %v10 = load ptr, ptr %v9, align 8
  %v11 = getelementptr inbounds i64, ptr %arguments, i64 10
  %v12 = load ptr, ptr %v11, align 8
  %v13 = getelementptr inbounds i64, ptr %arguments, i64 12
  %v14 = load ptr, ptr %v13, align 8
  %v15 = getelementptr inbounds i64, ptr %arguments, i64 14
  %v16 = load ptr, ptr %v15, align 8
  %v17 = getelementptr inbounds i64, ptr %arguments, i64 7
  %v18 = load ptr, ptr %v17, align 8
  %v19 = getelementptr inbounds i64, ptr %arguments, i64 9
  %v20 = load ptr, ptr %v19, align 8
  %v21 = getelementptr inbounds i64, ptr %arguments, i64 11
  %v22 = load ptr, ptr %v21, align 8
  %v23 = getelementptr inbounds i64, ptr %arguments, i64 13
  %v24 = load ptr, ptr %v23, align 8
  %v25 = getelementptr inbounds i64, ptr %arguments, i64 15
  %v26 = load ptr, ptr %v25, align 8
  %v27 = getelementptr inbounds i64, ptr %arguments, i64 16
  %v28 = load ptr, ptr %v27, align 8
  %v29 = getelementptr inbounds i64, ptr %arguments, i64 18
  %v30 = load ptr, ptr %v29, align 8
  %v31 = getelementptr inbounds ptr, ptr %v2, i64 5
  store ptr %v30, ptr %v31, align 8
  %v32 = getelementptr inbounds i64, ptr %arguments, i64 20
  %v33 = load ptr, ptr %v32, align 8
  %v34 = getelementptr inbounds i64, ptr %arguments, i64 22
  %v35 = load ptr, ptr %v34, align 8
  %v36 = getelementptr inbounds ptr, ptr %v2, i64 6
  store ptr %v35, ptr %v36, align 8
  %v37 = getelementptr inbounds i64, ptr %arguments, i64 28
  %v38 = load ptr, ptr %v37, align 8
  %v39 = getelementptr inbounds ptr, ptr %v2, i64 7
  store ptr %v38, ptr %v39, align 8
  %v40 = mul nsw i64 8, %part
  %v41 = sdiv i64 %v40, %parts
  %v42 = add nsw i64 %part, 1
  %v43 = mul nsw i64 8, %v42
  %v44 = sdiv i64 %v43, %parts
  br label %t.head45
t.head45:
  %t46 = phi i64 [0, %entry], [%v76, %t.body45]
  %v47 = icmp slt i64 %t46, %v4
  br i1 %v47, label %t.body45, label %t.done45
t.body45:
  %v48 = getelementptr inbounds i64, ptr %v6, i64 %t46
  %v49 = load i64, ptr %v48, align 8
  %v50 = call i64 @llvm.smin.i64(i64 %v49, i64 %end)
  %v51 = getelementptr inbounds i64, ptr %v18, i64 %t46
  %v52 = load i64, ptr %v51, align 8
  %v53 = mul nsw i64 %v52, 16
  %v54 = getelementptr inbounds double, ptr %v8, i64 %v53
  %v55 = getelementptr inbounds ptr, ptr %v2, i64 0
  store ptr %v54, ptr %v55, align 8
  %v56 = getelementptr inbounds i64, ptr %v20, i64 %t46
  %v57 = load i64, ptr %v56, align 8
  %v58 = mul nsw i64 %v57, 16
  %v59 = getelementptr inbounds double, ptr %v10, i64 %v58
  %v60 = getelementptr inbounds ptr, ptr %v2, i64 1
  store ptr %v59, ptr %v60, align 8
  %v61 = getelementptr inbounds i64, ptr %v22, i64 %t46
  %v62 = load i64, ptr %v61, align 8
  %v63 = mul nsw i64 %v62, 16
  %v64 = getelementptr inbounds double, ptr %v12, i64 %v63
  %v65 = getelementptr inbounds ptr, ptr %v2, i64 2
  store ptr %v64, ptr %v65, align 8
  %v66 = getelementptr inbounds i64, ptr %v24, i64 %t46
  %v67 = load i64, ptr %v66, align 8
  %v68 = mul nsw i64 %v67, 3
  %v69 = getelementptr inbounds double, ptr %v14, i64 %v68
  %v70 = getelementptr inbounds ptr, ptr %v2, i64 3
  store ptr %v69, ptr %v70, align 8
  %v71 = getelementptr inbounds i64, ptr %v26, i64 %t46
  %v72 = load i64, ptr %v71, align 8
  %v73 = mul nsw i64 %v72, 16
  %v74 = getelementptr inbounds double, ptr %v16, i64 %v73
  %v75 = getelementptr inbounds ptr, ptr %v2, i64 4
  store ptr %v74, ptr %v75, align 8
  call void @pass_0(ptr %arguments, ptr %v2, ptr %v1, i64 %begin, i64 %v50, i64 %v41, i64 %v44)
  call void @barrier(ptr %counter, i64 %parts)
  %v76 = add nsw i64 %t46, 1
  br label %t.head45
t.done45:
  ret void
}

declare i32 @sched_yield()

define internal void @barrier(ptr %counter, i64 %parts) noinline {
entry:
  %v1 = icmp sgt i64 %parts, 1
  br i1 %v1, label %then2, label %done2
then2:
  %v3 = atomicrmw add ptr %counter, i64 1 acq_rel
  %v4 = sdiv i64 %v3, %parts
  %v5 = add nsw i64 %v4, 1
  %v6 = mul nsw i64 %v5, %parts
  br label %look
look:
  %turn = phi i64 [0, %then2], [%next, %wait], [%next, %rest]
  %here = load atomic i64, ptr %counter acquire, align 8
  %all = icmp sge i64 %here, %v6
  br i1 %all, label %met, label %wait
wait:
  %next = add i64 %turn, 1
  %tired = icmp sgt i64 %turn, 4096
  br i1 %tired, label %rest, label %look
rest:
  %ignored = call i32 @sched_yield()
  br label %look
met:
  br label %done2
done2:
  ret void
}

define internal void @share(ptr %arguments, i64 %thread, i64 %size) noinline {
entry:
  %v1 = getelementptr inbounds i64, ptr %arguments, i64 2
  %v2 = getelementptr inbounds i64, ptr %arguments, i64 5
  %v3 = load ptr, ptr %v2, align 8
  %v4 = getelementptr inbounds i64, ptr %arguments, i64 3
  %v5 = load i64, ptr %v4, align 8
  %v6 = getelementptr inbounds i64, ptr %arguments, i64 4
  %v7 = load i64, ptr %v6, align 8
  call void @prepare(ptr %arguments, i64 %thread, i64 %size)
  %v8 = icmp eq i64 %v5, 0
  br i1 %v8, label %then9, label %done9
then9:
  call void @work(ptr %arguments, i64 0, i64 %v7, i64 %thread, i64 %size, i64 %thread, ptr %v1)
  br label %done9
done9:
  %v10 = icmp sgt i64 %v5, 0
  br i1 %v10, label %then11, label %done11
then11:
  call void @barrier(ptr %v1, i64 %size)
  br label %part.head12
part.head12:
  %part13 = phi i64 [%thread, %then11], [%v20, %part.body12]
  %v14 = icmp slt i64 %part13, %v5
  br i1 %v14, label %part.body12, label %part.done12
part.body12:
  %v15 = getelementptr inbounds i64, ptr %v3, i64 %part13
  %v16 = load i64, ptr %v15, align 8
  %v17 = add nsw i64 %part13, 1
  %v18 = getelementptr inbounds i64, ptr %v3, i64 %v17
  %v19 = load i64, ptr %v18, align 8
  call void @work(ptr %arguments, i64 %v16, i64 %v19, i64 0, i64 1, i64 %thread, ptr %v1)
  %v20 = add nsw i64 %part13, %size
  br label %part.head12
part.done12:
  br label %done11
done11:
  ret void
}

declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()

define void @run(ptr %arguments) {
entry:
  call void @share(ptr %arguments, i64 0, i64 1)
  ret void
}

define void @run_shard(ptr %arguments) {
entry:
  %v1 = call i32 @omp_get_thread_num()
  %v2 = sext i32 %v1 to i64
  %v3 = call i32 @omp_get_num_threads()
  %v4 = sext i32 %v3 to i64
  call void @share(ptr %arguments, i64 %v2, i64 %v4)
  ret void
}
